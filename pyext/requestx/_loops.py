"""How an engine lives in trio: asyncio needs nothing of this, for there an exchange is its own future."""

import os

import trio


async def wait(op):
    """Waits until the engine has something for op."""
    task = trio.lowlevel.current_task()
    op.add_done_callback(lambda _: trio.lowlevel.reschedule(task))

    def abort(raise_cancel):
        op.cancel_wait()
        return trio.lowlevel.Abort.SUCCEEDED

    await trio.lowlevel.wait_task_rescheduled(abort)


class watch:
    """Calls dispatch whenever the descriptor is readable, until it is closed or trio ends."""

    def __init__(self, descriptor, dispatch):
        self.ended = False
        self._scope = trio.CancelScope()
        self._token = trio.lowlevel.current_trio_token()
        # A descriptor of its own: the engine may be gone, in another thread too, before trio lets go of it.
        self._descriptor = os.dup(descriptor)
        trio.lowlevel.spawn_system_task(self._run, dispatch, name="requestx engine")

    async def _run(self, dispatch):
        try:
            with self._scope:
                # It may be closed before it begins, and while others ran after the descriptor was found readable.
                while not self._scope.cancel_called:
                    await trio.lowlevel.wait_readable(self._descriptor)
                    dispatch()
        finally:
            self.ended = True
            self._release()

    def _end(self):
        self._scope.cancel()
        self._release()

    def _release(self):
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def close(self):
        try:
            here = trio.lowlevel.current_trio_token() is self._token
        except RuntimeError:
            here = False
        if here:
            self._end()
            return
        try:
            self._token.run_sync_soon(self._end)
        except trio.RunFinishedError:
            self._release()
