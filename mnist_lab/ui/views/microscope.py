"""The Microscope page, as `st.navigation` runs it."""

from mnist_lab.ui.microscope_view import render_microscope

render_microscope()
