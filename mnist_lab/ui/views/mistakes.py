"""The Mistakes page, as `st.navigation` runs it."""

from mnist_lab.ui.mistakes_view import render_mistakes

render_mistakes()
