"""What a client has to cope with, row by row, and what proves that this one does.

Each row names cases of this directory ("family/name", shell patterns allowed) and tests elsewhere
("file::test", below tests/). A row without proof, a proof that is not there, and a case that no row
names fail table.py.
"""

ROWS = {}


class Row:
    def __init__(self, part, key, text, cases, tests):
        self.part = part
        self.key = key
        self.text = text
        self.cases = cases.split()
        self.tests = tests.split()


class Part:
    """A group of rows. `with` it, `row` adds to it."""

    def __init__(self, title):
        self.title = title

    def row(self, key, text, cases="", tests=""):
        assert key not in ROWS, key
        ROWS[key] = Row(self.title, key, text, cases, tests)


_GOAWAY = "integration/test_must_show_goaway.py::"
_DEADLINES = "integration/test_must_show_deadlines.py::"
_FAILURES = "integration/test_must_show_failures.py::"
_STREAMS = "integration/test_must_show_streams.py::"
_LOAD = "integration/test_must_show_py_load.py::"
_INPUT = "integration/test_must_show_input.py::"


def _in(prefix, *names):
    return " ".join(prefix + name for name in names)


# ---- HTTP/2 and HTTP/1.1, by the rules

_rules = Part("Protocol rules")
row = _rules.row

row(
    "goaway-replay",
    "GOAWAY: streams above its id go elsewhere, those below finish; stream 1 is never sent again after an error; of several the first code stays",
    "h2/goaway-below h2/goaway-rising h2/goaway-error",
    _in(
        _GOAWAY,
        "test_goaway_last_id_splits_what_is_open",
        "test_the_very_first_stream_is_not_sent_again_after_an_error",
        "test_what_may_have_been_processed_is_not_sent_again",
    )
    + " unit/check_h2_close.c::the_code_of_goaway_is_kept unit/check_h2_close.c::a_goaway_that_raises_its_id_is_a_violation",
)
row(
    "goaway-code",
    "The code of a GOAWAY reaches the streams that it closes, so that HTTP_1_1_REQUIRED leads to HTTP/1.1",
    "h2/http11-required",
    _in(_GOAWAY, "test_http_1_1_required_goes_on_over_http_1_1", "test_http_1_1_required_where_only_http_2_is_allowed")
    + " unit/check_h2_close.c::goaway_may_demand_http_1_1"
    + " integration/test_must_show_goaway.py::test_http_1_1_required_is_remembered",
)
row(
    "goaway-graceful",
    "GOAWAY during the handshake or the first request; a warning with 2^31-1, and then a second one",
    "h2/goaway-first h2/goaway-flood",
    _in(_GOAWAY, "test_graceful_goaway_in_two_steps", "test_goaway_without_any_stream_taken")
    + " integration/test_must_show_goaway.py::test_goaway_and_the_end_at_once",
)
row(
    "refused",
    "REFUSED_STREAM is always sent again, a bounded number of times, later each time",
    "h2/refused-once h2/refused-for-ever",
    _in(_GOAWAY, "test_refused_streams_under_load", "test_refused_for_ever_ends_with_an_error")
    + " integration/test_must_show_goaway.py::test_refused_again_and_again_is_sent_later_each_time",
)
row(
    "misdirected",
    "421: asked again on another connection, whatever the method",
    "h2/misdirected h2/misdirected-for-ever",
    _in(_GOAWAY, "test_421_is_asked_again_on_another_connection", "test_421_twice_is_the_answer")
    + " integration/test_retries.py::test_the_budget_of_replays_is_not_used_up_by_421_and_417",
)
row(
    "one-connection",
    "One connection to a host, and another only when its streams are all taken",
    "",
    _in(_DEADLINES, "test_another_connection_when_limits_allow_one")
    + " integration/test_h2.py::test_one_connection_carries_what_arrives_during_the_first_dial",
)
row(
    "stream-limit",
    "Neither one stream nor any number before SETTINGS; 0 and reductions below what is open are obeyed",
    "h2/settings-late h2/zero-streams h2/zero-streams-then-some",
    _in(_DEADLINES, "test_a_limit_that_shrinks_below_what_is_open")
    + " unit/check_h2_close.c::a_hundred_streams_before_settings_are_known"
    + " unit/check_h2_close.c::the_peers_limit_is_obeyed_as_it_changes",
)
row(
    "early-answer",
    "A whole response during the upload, with RST_STREAM(NO_ERROR) or without: kept, and the upload stops",
    "h2/early-answer h2/early-answer-without-reset h2/rst-no-error-complete",
    "integration/test_h2.py::test_an_early_response_stops_the_upload unit/check_h2.c::an_early_answer_stops_the_upload"
    + " integration/test_h2.py::test_an_early_response_without_reset",
)
row("rst-no-error", "RST_STREAM(NO_ERROR) in the middle of a body is an error", "h2/rst-no-error-incomplete")
row("rst-codes", "RST_STREAM ends its stream alone, and its code is told", "h2/rst-unknown-code", "unit/check_h2_close.c::a_reset_stream_tells_the_code")
row(
    "after-reset",
    "RST_STREAM is never answered with RST_STREAM; what was under way is ignored, and yet decoded and credited",
    "h2/data-after-rst h2/data-after-end h2/headers-after-end",
    _in(_STREAMS, "test_rst_stream_is_not_answered_with_rst_stream", "test_frames_that_were_on_their_way_when_a_stream_was_reset_are_ignored")
    + " unit/check_h2_close.c::the_decoder_stays_in_step_with_cancelled_streams",
)
row(
    "own-resets",
    "Our own cancelling must not look like an attack: a cancelled stream counts until the peer knows of it",
    "",
    _in(_STREAMS, "test_ten_thousand_exchanges_cancelled_at_random_moments")
    + " unit/check_h2_close.c::a_cancelled_stream_counts_until_its_reset_is_known"
    + " integration/test_must_show_streams.py::test_cancels_are_paced_by_what_the_peer_has_read unit/check_h2_reset.c::the_wait_is_bounded",
)
row(
    "cancel-unsent",
    "What is cancelled before it was written uses no stream id",
    "",
    _in(_STREAMS, "test_a_cancel_before_anything_was_written_uses_no_stream"),
)
row(
    "cancel-dial",
    "Cancelling the request that dials leaves the dial to those who wait for it",
    "",
    _in(_STREAMS, "test_cancel_while_dialing_leaves_the_others_waiting_for_that_dial"),
)
row(
    "padding",
    "Padding counts against the windows, and is credited",
    "h2/padding-only h2/*-padding-too-long",
    "unit/check_h2_flow.c::padding_is_credited integration/test_h2.py::test_padding_counts",
)
row(
    "negative-window",
    "A window that INITIAL_WINDOW_SIZE makes negative is waited out",
    "h2/window-shrinks",
    "integration/test_h2.py::test_settings_that_make_the_send_window_negative",
)
row(
    "window-errors",
    "Windows beyond 2^31-1 and increments of zero: of a stream its own error, of the connection the connection's",
    "h2/window-overflow-* h2/window-update-*",
    "unit/check_h2_guard.c::window_errors_of_a_stream_are_its_own"
    + " unit/check_h2_guard.c::a_window_update_of_zero_is_its_streams_error",
)
row(
    "window-enforced",
    "A peer that ignores our windows is cut, not buffered",
    "h2/window-ignored-*",
    "unit/check_h2_flow.c::more_than_the_window_is_an_error",
)
row(
    "credit-of-unread",
    "The connection's credit for what nobody reads comes back when a stream is closed",
    "",
    _in(_STREAMS, "test_large_responses_closed_after_the_first_bytes")
    + " unit/check_h2_flow.c::no_connection_credit_is_lost_with_cancelled_streams",
)
row(
    "settings-ack",
    "SETTINGS: acknowledged at once, ours count from their acknowledgement on, unknown ones are ignored",
    "h2/settings-never-acked h2/settings-late h2/unknown-frames h2/push-before-settings",
    "integration/test_h2.py::test_first_settings"
    + " unit/check_h2_guard.c::an_early_push_is_refused",
)
row("settings-bad", "SETTINGS that are no settings", "h2/settings-size h2/settings-ack-with-payload h2/settings-window-too-big h2/settings-frame-size-small h2/settings-enable-push")
row(
    "table-size",
    "HEADER_TABLE_SIZE lowered: said at the next block; raised: taken no further than our own limit",
    "h2/table-size-zero h2/table-size-huge h2/hpack-table-size-too-big",
    "unit/check_h2.c::the_peers_table_size_is_obeyed",
)
row(
    "header-list",
    "A limit for header sections, interim ones included",
    "h2/headers-huge h2/headers-endless h2/interim-endless h1/head-endless h1/interim-endless",
    "unit/check_h2_guard.c::interim_responses_count_together",
)
row("continuations", "CONTINUATION without end, for another stream, alone, or interrupted", "h2/continuation-* h2/headers-split")
row(
    "floods",
    "Floods of PING, SETTINGS, empty DATA, PRIORITY, RST_STREAM, WINDOW_UPDATE, GOAWAY and unknown frames end the connection before they cost",
    "h2/ping-flood h2/ping-ack-flood h2/settings-flood h2/empty-data-flood h2/priority-flood h2/rst-flood h2/window-update-flood h2/unknown-flood h2/goaway-flood h2/data-on-closed-streams",
    "unit/check_h2_guard.c::answers_do_not_pile_up unit/check_h2_guard.c::frames_that_come_with_progress_are_no_flood",
)
row("ids-used-up", "A connection whose stream ids are used up drains, and another is made", "", "unit/check_h2_close.c::a_connection_drains_when_its_ids_are_used_up unit/check_replay.c::a_connection_without_ids_is_replaced")
row(
    "interim",
    "Any number of interim responses before the final one; END_STREAM on one, and 101, are malformed",
    "h2/interim-many h2/interim-ends-stream h2/status-101 h2/data-after-interim h1/many-100 h1/unasked-101",
    "unit/check_h2_response.c::interim_responses_come_before_the_final_one",
)
row("early-hints", "103 is given to those who ask for it", "", "integration/test_h2.py::test_interim_responses_reach_their_hook integration/test_py_informational.py::test_early_hints_reach_the_hook")
row(
    "no-body",
    "HEAD, 204 and 304 may announce a length without a body; otherwise the sum must be right",
    "h2/head-with-* h2/304-with-* h2/body-too-* h2/body-on-204 h1/body-on-*",
    "unit/check_h2_response.c::head_and_304_may_announce_a_length integration/test_h1.py::test_responses_without_a_body",
)
row("content-length", "Lengths that are no numbers, or two of them", "h2/length-* h1/cl-*")
row(
    "expect-continue",
    "Expect: 100-continue waits no longer than told; 417 is asked again without",
    "",
    "integration/test_h1.py::test_expect_does_not_wait_for_ever integration/test_h1.py::test_expectation_failed_is_asked_again_without unit/check_h2.c::a_body_waits_for_100_continue_no_longer_than_told"
    + " integration/test_h1.py::test_no_expect_without_a_body integration/test_h1.py::test_expect_and_a_final_answer",
)
row(
    "fields-out",
    "Connection-specific fields are not sent on HTTP/2, te only as trailers, names in lower case",
    "",
    "integration/test_h2.py::test_field_rules integration/test_h2.py::test_te_trailers_is_let_through unit/check_h2.c::connection_specific_fields_are_left_out",
)
row("fields-in", "Responses with connection-specific fields are malformed", "h2/connection-field h2/transfer-encoding")
row(
    "authority",
    "Host becomes :authority and is not sent besides; never any userinfo",
    "",
    "integration/test_h2.py::test_host_becomes_the_authority integration/test_h2.py::test_userinfo_never_gets_into_the_authority",
)
row(
    "cookie-crumbs",
    "Cookie is split for HPACK, and one field on HTTP/1.1; Set-Cookie fields stay apart",
    "",
    "integration/test_h2.py::test_cookies_are_crumbs_and_secrets_are_never_indexed unit/check_h1_write.c::cookies_are_one_field"
    + " py/test_cookies.py::test_kept_and_sent unit/check_client_policy.c::cookies_are_kept_and_sent_at_each_hop",
)
row(
    "connect-method",
    "CONNECT has :method and :authority alone, and its 2xx no length",
    "proxy/https-length",
    "unit/check_h2.c::connect_has_neither_scheme_nor_path unit/check_h1.c::a_tunnel_has_no_length",
)
row("never-indexed", "Secrets are never put into a table", "", "unit/check_h2.c::secrets_are_never_indexed" + " integration/test_h2.py::test_cookies_are_crumbs_and_secrets_are_never_indexed")
row("priorities", "No tree of priorities: the first SETTINGS say so", "", "integration/test_h2.py::test_first_settings")
row(
    "push",
    "Pushes are refused, and yet decoded",
    "h2/push-promise h2/push-before-settings",
    "unit/check_h2_guard.c::an_early_push_is_refused",
)
row(
    "tls-for-h2",
    "TLS 1.2 or later, the exact protocol by ALPN, the server's name, no weak ciphers with HTTP/2, no renegotiation, nothing after the handshake; 425 is asked again once",
    "tls/alpn-* h2/too-early*",
    "integration/test_connecting.py::test_tls_older_than_1_2_is_refused unit/check_tls.c::old_ciphers_do_not_carry_h2"
    + " unit/check_tls_lies.c::renegotiation_is_refused unit/check_tls_lies.c::authentication_after_the_handshake_is_not_done integration/test_h2.py::test_sni_is_the_name_and_never_an_address integration/test_retries.py::test_too_early_is_sent_again_once",
)
row("usual-settings", "The first SETTINGS hold nothing that servers are known to dislike", "", "integration/test_h2.py::test_first_settings")
row(
    "gone-servers",
    "Servers that are silently gone, half closed, without close_notify, or that send GOAWAY and FIN at once",
    "h2/half-open h2/fin-mid-body h2/fin-mid-frame h2/tcp-reset-mid-body h2/close-at-once h2/abort-at-once h2/goaway-fin h2/silent h2/silent-and-asked h1/tls-truncation",
    _in(_FAILURES, "test_a_connection_that_went_dead_is_found_out_by_ping", "test_a_connection_the_peer_closed_is_not_used_again")
    + " integration/test_network.py::test_a_cut_cable_is_found_out_by_ping",
)
row(
    "ping-politely",
    "PING only where somebody waits, and less of it for who complains",
    "h2/enhance-your-calm",
    _in(_FAILURES, "test_no_ping_without_open_streams") + " unit/check_h2_flow.c::a_peer_that_complains_of_ping_gets_less",
)
row(
    "redirect-secrets",
    "Credentials and cookies do not follow a redirect to another host, port or scheme",
    "redirect/credentials",
    "integration/test_messages.py::test_credentials_and_cookies_stay_with_their_origin unit/check_redirect.c::credentials_stay_with_their_origin py/test_client_policy.py::test_credentials_stay_with_their_origin",
)
row(
    "h1-reuse",
    "A kept HTTP/1.1 connection that turns out dead: sent again only if nothing came back and it may be",
    "h1/extra-bytes h1/second-response",
    "integration/test_h1.py::test_a_kept_connection_that_the_server_closed integration/test_h1.py::test_a_connection_that_dies_under_a_request integration/test_h1.py::test_an_early_answer_to_an_upload"
    + " integration/test_h1.py::test_a_post_does_not_meet_a_connection_that_the_server_closed_meanwhile integration/test_h1.py::test_unasked_bytes_on_an_idle_connection integration/test_h1.py::test_a_response_that_is_cancelled_takes_its_connection_along integration/test_network.py::test_a_post_that_may_have_arrived_is_not_sent_again",
)
row("h1-framing", "Framing that contradicts itself, or could be read in two ways", "h1/te-* h1/cl-* h1/obs-fold h1/bare-* h1/space-before-colon h1/leading-space")
row("trailers", "Trailers have no pseudo fields and end the stream", "h2/trailers-* h1/trailer-bad h1/trailers-endless")

# ---- what is known to hurt

_pains = Part("What hurts users of other clients")
row = _pains.row

row(
    "window-leak",
    "Responses that are closed half read leak no window: the connection goes on",
    "h2/data-after-rst",
    _in(_STREAMS, "test_ten_thousand_responses_closed_after_the_first_bytes", "test_large_responses_closed_after_the_first_bytes"),
)
row("cancels-reset", "Each cancelled stream is reset, once, and its place is free", "", _in(_STREAMS, "test_ten_thousand_exchanges_cancelled_at_random_moments") + " integration/test_py_cancel.py::test_a_cancelled_request_resets_its_stream")
row("queue-is-timed", "Waiting for a stream counts against the pool deadline", "h2/zero-streams", _in(_DEADLINES, "test_those_still_queued_get_a_pool_timeout", "test_a_pool_timeout_comes_on_time"))
row("own-timeouts", "A timeout ends one exchange, on time, and no other", "h2/answer-never h2/body-never", _in(_DEADLINES, "test_one_read_timeout_among_five_on_one_connection") + " " + _in(_LOAD, "test_one_read_timeout_among_five_on_one_connection"))
row("threads", "Many threads on one client", "", "integration/test_py_threads.py::test_threads_share_one_connection integration/test_py_threads.py::test_threads_stream_cancel_and_fail_side_by_side" + " stress/check_stress.c::threads_drive_a_sync_engine stress/check_stress.c::threads_use_an_embedded_engine_that_calls_back stress/check_stress.c::threads_use_an_embedded_engine_whose_events_are_taken stress/check_stress.c::threads_use_an_engine_with_a_thread integration/test_py_faults.py::test_32_threads_on_one_client integration/test_py_faults.py::test_ten_loops_with_a_client_each_and_one_for_all")
row("goaway-hidden", "GOAWAY is no error for what may be sent again, under load either", "h2/goaway-below", _in(_GOAWAY, "test_goaway_under_load") + " " + _in(_LOAD, "test_goaway_under_load"))
row("pool-after-cancel", "Cancelling leaves the pool as it was", "", "integration/test_py_cancel.py::test_ten_thousand_tasks_cancelled_at_random_moments integration/test_py_cancel.py::test_cancelled_while_the_connection_is_made")
row("many-in-queue", "A thousand that wait for ten streams are served in order, soon", "", _in(_DEADLINES, "test_a_thousand_wait_for_ten_streams_and_are_served_in_order") + " " + _in(_LOAD, "test_a_thousand_wait_for_ten_streams"))
row("dead-connections", "A dead connection is found out long before its users' patience ends", "h2/silent-and-asked", _in(_FAILURES, "test_a_connection_that_went_dead_is_found_out_by_ping", "test_ping_keeps_a_slow_exchange_alive") + " integration/test_network.py::test_a_cut_cable_is_found_out_by_ping integration/test_network.py::test_a_connection_that_takes_no_more_bytes_is_found_out_by_ping")
row("window-growth", "Windows grow with the link", "", "integration/test_h2.py::test_the_window_grows_to_its_ceiling_and_no_further unit/check_h2_flow.c::windows_grow_with_the_bandwidth_delay_product" + " integration/test_network.py::test_windows_grow_with_the_delay_up_to_the_ceiling integration/test_network.py::test_a_smaller_ceiling_holds integration/test_network.py::test_a_near_peer_gets_small_windows")
row("paused-streams", "A reader that pauses holds up itself alone, and nothing piles up", "", _in(_DEADLINES, "test_an_unread_response_holds_up_nobody", "test_memory_does_not_grow_with_the_length_of_a_streamed_body") + " integration/test_py_streams.py::test_an_unread_response_holds_nobody_up" + " integration/test_network.py::test_an_unread_body_holds_no_more_than_its_window")
row("foreign-loops", "One descriptor, and no busy loop", "", "unit/check_loop.c::a_nested_loop_becomes_readable_in_time unit/check_engine.c::one_descriptor_carries_many_requests")
row("idle-ping", "PING, SETTINGS and GOAWAY that came while a connection was idle are dealt with before it is used", "", _in(_FAILURES, "test_a_connection_the_peer_closed_is_not_used_again") + " " + _in(_GOAWAY, "test_a_connection_that_drains_takes_no_more"))
row("early-lost", "An early final response is neither lost nor waited for", "h2/early-answer h2/early-answer-without-reset", "integration/test_h1.py::test_an_early_answer_to_an_upload")
row("trailers-duplex", "Trailers in both directions, and both bodies at once", "", "integration/test_h2.py::test_request_trailers integration/test_h2.py::test_response_trailers integration/test_messages.py::test_duplex")
row("total-timeout", "A deadline for the whole exchange, which a slow drip cannot stretch", "h2/slow-drip", _in(_DEADLINES, "test_total_timeout_covers_everything", "test_total_timeout_spans_redirects"))
row("stalls", "A program can say how fast a body has to move", "h2/slow-drip-stalled", "integration/test_stall.py::test_a_body_that_is_fast_enough integration/test_stall.py::test_a_reader_that_rests_stalls_nobody")
row("retries", "A program can have failures tried again: a bounded number of times, and never what may have been done and must not be done twice", "h2/busy-* h2/lost-*", "integration/test_retries.py::test_a_post_that_may_have_been_processed_is_never_repeated integration/test_retries.py::test_total_covers_all_tries")
row("cheap-tls", "Clients of one configuration share it", "", "integration/test_py_tls.py::test_one_configuration_is_shared")
row("dns-blocks-nobody", "Resolving holds up nobody; bad news is not kept for long", "names/silent names/slow", "integration/test_connecting.py::test_resolving_holds_up_nobody integration/test_connecting.py::test_no_such_name_is_kept_for_a_short_while")
row("fork", "A forked child has connections of its own, and leaves its parent's alone", "", "integration/test_py_threads.py::test_a_forked_child_has_connections_of_its_own integration/test_py_threads.py::test_a_child_that_only_exits_harms_nothing unit/check_loop_system.c::a_forked_child_cannot_disturb_its_parent unit/check_engine.c::a_forked_child_may_only_let_go" + " integration/test_py_faults.py::test_fork integration/test_py_faults.py::test_fork_with_tasks_under_way")
row("async-blocks-nobody", "Async calls block no loop, and leave nothing behind", "", "integration/test_py_loops.py::test_everything_on_every_loop integration/test_py_leaks.py::test_flat" + " integration/test_py_faults.py::test_an_async_client_dropped_while_tasks_run")

# ---- bad input and bad peers

_bad = Part("Bad input and bad peers")
row = _bad.row

row("header-injection", "Fields, methods, URLs and targets that would break the message are refused before anything is sent", "", _in(_INPUT, "test_bad_fields", "test_bad_methods", "test_bad_urls", "test_bad_targets_and_names") + " integration/test_must_show_py_failures.py::test_bad_input_harms_no_other_stream")
row("header-blocks", "Header blocks that are malformed or cut", "h2/hpack-garbage h2/hpack-index-out-of-range h2/hpack-truncated h2/no-status h2/status-* h2/pseudo-* h2/name-* h2/value-* h1/status-* h1/nul-in-value h1/empty-name h1/no-colon h1/head-cut h1/obs-text")
row("header-size", "Header blocks that are too large or do not end", "h2/headers-huge h2/headers-endless h1/head-endless h1/line-endless h1/trailers-endless")
row("hpack-bombs", "A few kB that unpack to a huge header section", "h2/hpack-bomb", "unit/check_h2_guard.c::an_hpack_bomb_is_cut_short")
row("bad-frames", "Frames of a wrong size, on a wrong stream, or where they may not be", "h2/*-on-stream-0 h2/*-on-stream h2/*-on-idle-stream h2/*-on-even-stream h2/*-short h2/*-size h2/frame-too-long h2/no-settings h2/data-before-headers h2/altsvc-and-origin h2/data-before-headers-endless", "unit/check_h2_guard.c::data_before_headers_is_its_streams_error unit/check_h2_guard.c::a_violation_ends_the_connection")
row("closed-streams", "Frames on closed streams", "h2/data-after-end h2/headers-after-end h2/data-on-closed-streams", "unit/check_h2_close.c::frames_for_closed_streams_are_ignored")
row("windows", "Windows that are overrun or made to overflow", "h2/window-*", "unit/check_h2_flow.c::more_than_the_window_is_an_error")
row("wrong-length", "Bodies of another length than announced", "h2/body-too-* h1/cl-huge", "integration/test_h2.py::test_a_body_of_another_length_than_the_response_announced")
row("bombs", "A little that decodes to very much, in each coding, nested, or in endless chains", "h2/*-bomb h2/codings-without-end", "unit/check_coding.c::a_chain_is_at_most_five_long integration/test_messages.py::test_caps_on_decoded_bodies")
row("bad-codings", "Codings that are broken or cut", "h2/gzip-broken h2/gzip-truncated", "unit/check_coding.c::malformed_gzip_is_refused")
row("bad-chunking", "Chunks that are malformed, cut or endless", "h1/chunk-* h1/tiny-chunks h1/split-*")
row("splitting", "Responses that hold another one, or a field within a value", "h2/value-with-newline h1/second-response h1/extra-bytes h1/bare-cr h1/obs-fold h1/leading-crlf")
row("certificates", "Certificates that are expired, not yet valid, self-signed, of another host or issuer, revoked, or with a gap in their chain", "tls/revoked tls/expired tls/not_yet_valid tls/self_signed tls/wrong_host tls/untrusted tls/missing_intermediate")
row("alpn-lies", "A protocol that was not offered, or another one than was agreed", "tls/alpn-* h2/http1-answer h2/garbage-preface h1/h2-frames h1/version-* h1/not-http", "unit/check_tls_lies.c::a_protocol_that_was_not_offered_is_refused unit/check_tls_lies.c::h2_that_was_not_offered_is_refused")
row("tls-ends", "Garbage, alerts, FIN, RST and silence in each phase of TLS", "tls/hello-* tls/flight-* h2/raw-bytes-under-tls")
row("half-closed", "Peers that close half, at any moment", "h2/fin-mid-body h2/fin-mid-frame h1/tls-truncation h1/empty-reply h1/head-cut h1/chunk-truncated h1/reset-mid-body", "integration/test_network.py::test_connections_that_break_at_each_point")
row("stalled", "Peers that stall in each phase", "h2/silent h2/settings-never-acked h2/half-open h2/answer-never h2/body-never h2/upload-without-credit tls/*-hang proxy/*-hang-* names/silent", _in(_FAILURES, "test_silence_while_connecting", "test_silence_in_the_tls_handshake") + " integration/test_network.py::test_a_stall_is_a_read_timeout_and_then_it_goes_on integration/test_network.py::test_a_stall_in_the_handshake_is_a_connect_timeout integration/test_network.py::test_a_stalled_upload_is_a_write_timeout")
row("slow-drip", "Peers that send a byte now and then", "h2/slow-drip* proxy/https-drip h1/split-everywhere h1/split-chunked")
row("vanishing", "Peers that vanish, or reset everything", "h2/tcp-reset-mid-body h2/abort-at-once h2/close-at-once h1/reset-mid-body", "integration/test_network.py::test_connections_that_break_at_each_point integration/test_network.py::test_uploads_that_break_midway integration/test_network.py::test_a_cut_cable_on_http1_is_a_read_timeout")
row("dns-failure", "Names that do not resolve, servers that fail or are silent", "names/nxdomain names/servfail names/refused names/empty names/silent names/first-lost")
row("dns-lies", "Answers that lie: other names, other types, other questions, loops, broken records, thousands of addresses", "names/wrong-* names/*-loop names/garbage names/spoofed names/short-address names/many-addresses names/truncated names/cname", "unit/check_resolver.c::lies_are_bounded")
row("goaway-any-moment", "GOAWAY at any moment", "h2/goaway-*")
row("redirects", "Redirects to other schemes, to nowhere, in loops, and with large bodies", "redirect/*", "integration/test_messages.py::test_redirects_that_lead_nowhere")
row("foreign-cookies", "Cookies for other domains and for public suffixes are not kept", "cookies/*", "py/test_cookies.py::test_what_is_kept py/test_cookies.py::test_secure_cookies_stay_off_plain_http unit/check_cookies.c::public_suffixes_are_refused unit/check_cookies.c::foreign_domains_are_refused" + " py/test_cookies.py::test_domains_of_registries_and_others_are_refused py/test_cookies.py::test_names_that_promise_are_kept_only_if_true unit/check_cookies.c::prefixes_keep_their_promise")
row("private-addresses", "Names and redirects that lead to addresses which the program has denied", "redirect/to-denied-* names/denied", "integration/test_address_policy.py::test_what_is_asked_about_is_what_is_connected_to integration/test_address_policy.py::test_numbers_in_disguise unit/check_address.c::addresses_in_disguise")
row("pins", "Certificates that are good, with a key that is not the one that was pinned", "tls/other-key", "integration/test_pins.py::test_every_redirect_has_to_match integration/test_pins.py::test_no_session_of_others_is_used")
row("proxies", "Proxies that refuse, lie or stall", "proxy/*", "integration/test_proxies.py::test_a_proxy_that_refuses_connections integration/test_proxies.py::test_bytes_of_the_tunnel_that_come_with_the_answer")
row("cancel-anywhere", "Cancelling at any await", "", "integration/test_py_cancel.py::test_ten_thousand_tasks_cancelled_at_random_moments " + _in(_STREAMS, "test_ten_thousand_exchanges_cancelled_at_random_moments"))
row("fork-anywhere", "Forking at any moment", "", "integration/test_py_threads.py::test_an_async_client_after_fork unit/check_tls_config.c::a_forked_child_can_use_it_even_while_it_was_locked unit/check_resolver.c::a_forked_child_leaves_the_parents_questions_alone unit/check_dial.c::a_forked_child_leaves_the_parents_dials_alone" + " stress/check_faults.c::a_fork_in_each_state_is_no_concern_of_the_parent_s stress/check_faults.c::a_child_says_nothing_on_the_parent_s_sockets stress/check_faults.c::a_fork_under_load_leaves_a_child_that_can_let_go integration/test_py_faults.py::test_fork")
row("malloc", "Allocations that fail, each in turn, and all from some point on", "", "alloc/check_alloc_client.c::each_allocation_fails_once alloc/check_alloc_client.c::all_allocations_fail_from_some_point_on unit/check_h2_alloc.c::each_allocation_may_fail" + " alloc/check_alloc_tls.c::each_allocation_fails_once alloc/check_alloc_tls.c::all_allocations_fail_from_some_point_on")

# ---- the machine and the network

_FAULTS = "stress/check_faults.c::"
_CLOCK = "stress/check_clock_steps.c::"
_NETWORK = "integration/test_network.py::"
_PY_FAULTS = "integration/test_py_faults.py::"

_faults = Part("The machine and the network")
row = _faults.row

row("signals", "Signals while system calls wait", "", _in(_FAULTS, "signals_interrupt_nothing") + " " + _in(_PY_FAULTS, "test_a_signal_each_millisecond") + " integration/test_py_threads.py::test_keyboard_interrupt")
row("descriptors", "Descriptors that run out, at each point", "", _in(_FAULTS, "descriptors_run_out_at_each_point") + " " + _in(_PY_FAULTS, "test_descriptors_run_out_at_each_point"))
row("clock", "A wall clock that is set while deadlines run and connections and names are kept", "", _in(_CLOCK, "deadlines_come_when_they_are_due", "connections_and_names_are_kept", "threads_that_wait_are_woken_in_time"))
row("broken-network", "A network that breaks, stalls, is cut, reorders connections, or refuses for a while", "", _in(_NETWORK, "test_connections_that_break_at_each_point", "test_uploads_that_break_midway", "test_a_stall_is_a_read_timeout_and_then_it_goes_on", "test_a_cut_cable_is_found_out_by_ping", "test_answers_that_overtake_one_another_go_to_who_asked", "test_connecting_again_where_it_was_refused"))
row("restarts", "Servers that are killed and started again under load", "", _in(_NETWORK, "test_a_server_killed_and_restarted_under_load") + " " + _in(_PY_FAULTS, "test_a_server_killed_and_restarted_under_load"))
row("let-go", "Clients and responses that are dropped, from other threads, in other interpreters, and at the program's end", "", _in(_PY_FAULTS, "test_a_client_dropped_by_all_but_the_thread_that_waits", "test_responses_dropped_unread_by_many_threads", "test_an_async_client_dropped_while_tasks_run", "test_subinterpreters", "test_the_program_ends_with_requests_in_flight"))
row("soak", "All of it at once: nothing is lost, duplicated or hung", "", "integration/test_soak.py::test_a_short_soak integration/test_soak.py::test_a_soak_notices")
