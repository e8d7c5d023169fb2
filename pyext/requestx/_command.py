"""What the command line does. Needs click, rich and pygments; `_main` looks whether they are there."""

import functools
import sys

import click
import pygments.lexers
import pygments.util
import rich.console
import rich.markup
import rich.progress
import rich.syntax

from ._client import Client
from ._exceptions import InvalidURL, RequestError


def _show(text, lexer="http"):
    """Writes text with the colours of its syntax, unwrapped: lines stay whole for whatever reads them."""
    # A console per call: it looks up the terminal, and sys.stdout, when it is made.
    highlighted = rich.syntax.Syntax("", lexer, theme="ansi_dark").highlight(text)
    highlighted.rstrip()
    rich.console.Console().print(highlighted, soft_wrap=True)


def _say(markup):
    rich.console.Console().print(markup, soft_wrap=True, highlight=False)


# heads


def _fields(headers, http_version):
    lower = http_version.startswith("HTTP/2")
    for name, value in headers.raw:
        name = name.decode("latin-1")
        yield f"{name.lower() if lower else name}: {value.decode('latin-1')}"


def format_request_head(request, http_version):
    target = request.url.raw_path.decode("ascii")
    return "\n".join([f"{request.method} {target} {http_version}", *_fields(request.headers, http_version)])


def format_response_head(response):
    version = response.http_version
    status = f"{version} {response.status_code} {response.reason_phrase}".rstrip()
    return "\n".join([status, *_fields(response.headers, version)])


def print_heads(response, verbose):
    """Shows the head of a response, and of its request before it: called for every single exchange."""
    if verbose:
        _show(format_request_head(response.request, response.http_version))
        _say("")
    _show(format_response_head(response))
    _say("")


# connections


def format_certificate(certificate):
    """The lines for a certificate in the form of `ssl.SSLSocket.getpeercert()`."""
    lines = []
    for key, value in certificate.items():
        if not isinstance(value, (list, tuple)):
            lines.append(f"*   {key}: {value!r}")
            continue
        lines.append(f"*   {key}:")
        for item in value:
            # Names are sequences of sets of pairs, everything else is pairs or plain values.
            pairs = item if key in ("subject", "issuer") else (item,)
            for pair in pairs:
                is_pair = isinstance(pair, tuple) and len(pair) == 2
                lines.append(f"*     {pair[0]}: {pair[1]!r}" if is_pair else f"*     {pair!r}")
    return "\n".join(lines)


def trace(name, info, verbose=False):
    """Tells what happens to the connection, step by step."""
    if not verbose:
        return
    if name == "connection.connect_tcp.started":
        _say(f"* Connecting to {rich.markup.escape(repr(info['host']))}")
    elif name == "connection.connect_tcp.complete":
        address = info["return_value"].get_extra_info("server_addr")
        _say(f"* Connected to {rich.markup.escape(repr(address[0]))} on port {address[1]}")
    elif name == "connection.start_tls.complete":
        _trace_tls(info["return_value"].get_extra_info("ssl_object"))


def _trace_tls(ssl_object):
    if ssl_object is None:
        return
    _say(rich.markup.escape(f"* SSL established using {ssl_object.version()!r} / {ssl_object.cipher()[0]!r}"))
    _say(rich.markup.escape(f"* Selected ALPN protocol: {ssl_object.selected_alpn_protocol()!r}"))
    certificate = ssl_object.getpeercert()
    if certificate:
        _say("* Server certificate:")
        _say(rich.markup.escape(format_certificate(certificate)))


# bodies


def _lexer_name(response):
    mime_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
    try:
        return pygments.lexers.get_lexer_for_mimetype(mime_type).name if mime_type else ""
    except pygments.util.ClassNotFound:
        return ""


def print_body(response):
    lexer = _lexer_name(response)
    if not lexer:
        _say(rich.markup.escape(f"<{len(response.content)} bytes of binary data>"))
        return
    text = response.text
    if lexer.lower() == "json":
        import json

        try:
            text = json.dumps(response.json(), indent=4, ensure_ascii=False)
        except ValueError:
            pass
    _show(text, lexer)


def download(response, file):
    """Writes the body to a file, with a bar that shows how far it is."""
    progress = rich.progress.Progress(
        "[progress.description]{task.description}",
        "[progress.percentage]{task.percentage:>3.0f}%",
        rich.progress.BarColumn(bar_width=None),
        rich.progress.DownloadColumn(),
        rich.progress.TransferSpeedColumn(),
        console=rich.console.Console(stderr=True),
    )
    length = response.headers.get("Content-Length")
    with progress:
        task = progress.add_task(
            f"Downloading [bold]{rich.markup.escape(file.name)}",
            total=int(length) if length is not None else None,
        )
        for chunk in response.iter_bytes():
            file.write(chunk)
            progress.update(task, completed=response.num_bytes_downloaded)


# the command


def _parse_json(context, parameter, value):
    if value is None:
        return None
    import json

    try:
        return json.loads(value)
    except ValueError:
        raise click.BadParameter("Not valid JSON") from None


def _parse_auth(context, parameter, value):
    if value is None or value == (None, None):
        return None
    username, password = value
    if password == "-":
        password = click.prompt("Password", hide_input=True)
    return username, password


def _send(client, verbose, file, method, url, **options):
    """One request as the command line asks for it. Returns whether the response is a success."""
    extensions = {"trace": functools.partial(trace, verbose=verbose)} if verbose else None
    client.event_hooks = {"response": [functools.partial(print_heads, verbose=verbose)]}
    with client.stream(method, url, extensions=extensions, **options) as response:
        if file is not None:
            download(response, file)
        elif response.read():
            print_body(response)
    return response.is_success


def make_command():
    """The command, as click wants to have it."""
    pair = (str, str)
    options = [
        click.Option(["-m", "--method"], help="Request method. [Default: GET, or POST if there is a body]"),
        click.Option(["-p", "--params"], type=pair, multiple=True, help="Query parameters to add to the URL."),
        click.Option(["-c", "--content"], help="A body, as it is."),
        click.Option(["-d", "--data"], type=pair, multiple=True, help="Fields of a form."),
        click.Option(
            ["-f", "--files"], type=(str, click.File("rb")), multiple=True, help="Files of a form: name and path."
        ),
        click.Option(["-j", "--json"], callback=_parse_json, help="A JSON body."),
        click.Option(["-h", "--headers"], type=pair, multiple=True, help="Header fields to add."),
        click.Option(["--cookies"], type=pair, multiple=True, help="Cookies to send."),
        click.Option(
            ["--auth"],
            type=pair,
            default=None,
            callback=_parse_auth,
            help="User name and password; '-' for the password asks for it. "
            "Note that --verbose shows the Authorization field, from which the password is easily read.",
        ),
        click.Option(["--proxy"], help="URL of a proxy for the request."),
        click.Option(["--timeout"], type=float, default=5.0, help="Seconds for each network step. [Default: 5.0]"),
        click.Option(["--follow-redirects"], is_flag=True, help="Follow redirects."),
        click.Option(["--no-verify", "verify"], is_flag=True, flag_value=False, default=True,
                     help="Accept any certificate."),
        click.Option(["--http2"], is_flag=True, help="Use HTTP/2 if the server speaks it: the default."),
        click.Option(["--http1"], is_flag=True, help="Use HTTP/1.1 only."),
        click.Option(["--download"], type=click.File("wb"), help="Save the body in a file."),
        click.Option(["-v", "--verbose"], is_flag=True, help="Show the connection and the request, too."),
    ]
    return click.Command(
        "requestx",
        callback=_run,
        params=[click.Argument(["url"]), *options],
        help="A next generation HTTP client.\n\nSends a request to URL and shows the response. "
        "The exit status is 0 if it is a success (2xx), else 1.",
    )


def _run(url, method, content, data, files, json, params, headers, cookies, auth, proxy, timeout, follow_redirects,
         verify, http1, http2, download, verbose):
    if not method:
        method = "POST" if content or data or files or json else "GET"
    try:
        with Client(proxy=proxy, timeout=timeout, verify=verify, http2=http2 or not http1) as client:
            success = _send(
                client,
                verbose,
                download,
                method,
                url,
                # An empty list would take away the query that the URL has.
                params=list(params) or None,
                content=content,
                data=dict(data),
                files=files,
                json=json,
                headers=headers,
                cookies=dict(cookies),
                auth=auth,
                follow_redirects=follow_redirects,
            )
    except (RequestError, InvalidURL, ValueError) as error:  # ValueError: the proxy, of an option or the environment
        _say(f"[red]{type(error).__name__}[/red]: {rich.markup.escape(str(error))}")
        sys.exit(1)
    sys.exit(0 if success else 1)
