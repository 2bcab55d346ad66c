"""The Class page, as `st.navigation` runs it."""

from mnist_lab.ui.class_view import render_class

render_class()
