"""Long work: what it returns and raises, and that the page can be left meanwhile."""

from __future__ import annotations

import threading

from streamlit.testing.v1 import AppTest


def test_the_page_goes_on_with_what_the_work_returns():
    def app():
        import streamlit as st

        from mnist_lab.ui.busy import busy

        st.write(f"found {busy('Counting …', lambda: 41 + 1)}")

    at = AppTest.from_function(app).run()
    assert [block.value for block in at.markdown] == ["found 42"]


def test_what_the_work_raises_is_raised_on_the_page():
    def app():
        import streamlit as st

        from mnist_lab.ui.busy import busy

        def work() -> int:
            raise ValueError("no images")

        try:
            busy("Counting …", work)
        except ValueError as error:
            st.error(str(error))

    at = AppTest.from_function(app).run()
    assert [block.value for block in at.error] == ["no images"]


def test_a_page_can_be_left_before_the_work_has_ended():
    """As when somebody opens another page: the script stops in the middle of `busy`, and the work goes on alone."""

    def app(started, go_on, ended):
        import streamlit as st
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        from mnist_lab.ui.busy import busy

        requests = get_script_run_ctx().script_requests

        def work() -> None:
            requests.request_stop()
            started.set()
            go_on.wait(60)
            ended.set()

        st.write("before")
        busy("Counting …", work)
        st.write("after")

    started, go_on, ended = events = [threading.Event() for _ in range(3)]
    at = AppTest.from_function(app, default_timeout=30, args=events).run()
    assert [block.value for block in at.markdown] == ["before"]
    assert started.is_set() and not ended.is_set()
    go_on.set()
    assert ended.wait(30)
