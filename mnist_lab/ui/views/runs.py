"""The Runs page, as `st.navigation` runs it."""

from mnist_lab.ui.runs_view import render_runs

render_runs()
