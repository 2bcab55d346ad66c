"""The Lessons page, as `st.navigation` runs it."""

from mnist_lab.ui.lessons_view import render_lessons

render_lessons()
