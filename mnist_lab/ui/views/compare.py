"""The Compare page, as `st.navigation` runs it."""

from mnist_lab.ui.compare_view import render_compare

render_compare()
