"""What `inspect.signature()` says of the request methods, which are compiled."""

from inspect import Parameter, Signature


def signature(names_method, has_body, is_bound):
    """The signature of request() if it names the method, else of get() and the like, or of post() with its body."""
    from ._client import USE_CLIENT_DEFAULT

    positional = [] if is_bound else ["self"]
    positional += ["method", "url"] if names_method else ["url"]
    parameters = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in positional]
    body = ["content", "data", "files", "json"] if has_body else []
    for name in [*body, "params", "headers", "cookies", "auth", "follow_redirects", "timeout", "extensions"]:
        default = USE_CLIENT_DEFAULT if name in ("auth", "follow_redirects", "timeout") else None
        parameters.append(Parameter(name, Parameter.KEYWORD_ONLY, default=default))
    return Signature(parameters)
