"""The Train page, as `st.navigation` runs it."""

from mnist_lab.ui.train_view import render_train

render_train()
