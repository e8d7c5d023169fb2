"""How an engine lives in trio: asyncio needs nothing of this, for there an exchange is its own future."""


async def wait(op):
    """Waits until the engine has something for op."""
    import trio

    task = trio.lowlevel.current_task()
    op.add_done_callback(lambda _: trio.lowlevel.reschedule(task))

    def abort(raise_cancel):
        op.cancel_wait()
        return trio.lowlevel.Abort.SUCCEEDED

    await trio.lowlevel.wait_task_rescheduled(abort)


class watch:
    """Calls dispatch whenever the descriptor is readable, until it is closed or trio ends."""

    def __init__(self, descriptor, dispatch):
        import trio

        self.ended = False
        self._scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(self._run, descriptor, dispatch, name="requestx engine")

    async def _run(self, descriptor, dispatch):
        import trio

        try:
            with self._scope:
                while True:
                    await trio.lowlevel.wait_readable(descriptor)
                    dispatch()
        finally:
            self.ended = True

    def close(self):
        self._scope.cancel()
