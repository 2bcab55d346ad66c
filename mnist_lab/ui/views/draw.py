"""The Draw page, as `st.navigation` runs it."""

from mnist_lab.ui.draw_view import render_draw

render_draw()
