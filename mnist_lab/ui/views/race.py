"""The Race page, as `st.navigation` runs it."""

from mnist_lab.ui.race_view import render_race

render_race()
