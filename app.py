"""MNIST Lab. Run it with: streamlit run app.py"""

import streamlit as st

from mnist_lab.ui import cache, state, token
from mnist_lab.ui.markdown import plain

st.set_page_config(page_title="MNIST Lab", page_icon="🔬", layout="wide", initial_sidebar_state="auto")
if problem := cache.settings_problem():
    st.error(plain(f"The lab was started with a setting that it cannot use. {problem}"))
    st.stop()
in_class = [st.Page("mnist_lab/ui/views/class.py", title="Class", icon="👥")] if cache.classroom() else []
page = st.navigation(
    [
        st.Page("mnist_lab/ui/views/train.py", title="Train", icon="🏋️", default=True),
        st.Page("mnist_lab/ui/views/race.py", title="Race", icon="🏁"),
        st.Page("mnist_lab/ui/views/lessons.py", title="Lessons", icon="🎓"),
        *in_class,
        st.Page("mnist_lab/ui/views/runs.py", title="Runs", icon="🗂️"),
        st.Page("mnist_lab/ui/views/mistakes.py", title="Mistakes", icon="🔎"),
        st.Page("mnist_lab/ui/views/draw.py", title="Draw", icon="✏️"),
        st.Page("mnist_lab/ui/views/compare.py", title="Compare", icon="⚖️"),
        st.Page("mnist_lab/ui/views/microscope.py", title="Microscope", icon="🧫"),
    ]
)
shown = token.browser_token() is not None  # the browser answers once the first page is on its screen
state.enter(page.title)
page.run()
if shown:
    cache.warm_up()
