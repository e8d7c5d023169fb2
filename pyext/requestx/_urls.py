"""Query parameters. URLs are a type of the extension module, and given here too."""

from _collections_abc import Mapping

from ._core import URL
from ._utils import primitive_value_to_str, public

__all__ = ["URL", "QueryParams"]


@public
class QueryParams(Mapping):
    """The parameters of a query: an immutable mapping whose keys may have several values."""

    def __init__(self, *args, **kwargs):
        assert len(args) < 2, "Too many arguments."
        assert not (args and kwargs), "Cannot mix named and unnamed arguments."
        value = args[0] if args else kwargs
        if isinstance(value, QueryParams):
            self._dict = {key: list(values) for key, values in value._dict.items()}
        elif not value:
            self._dict = {}
        elif isinstance(value, (str, bytes)):
            self._dict = _parse(value)
        else:
            self._dict = _collect(value)

    @classmethod
    def _of(cls, values):
        made = cls()
        made._dict = values
        return made

    # as a mapping: the first value of each key

    def __getitem__(self, key):
        return self._dict[key][0]

    def __contains__(self, key):
        return key in self._dict

    def __iter__(self):
        return iter(self._dict)

    def __len__(self):
        return len(self._dict)

    def __bool__(self):
        return bool(self._dict)

    def _firsts(self):
        return {key: values[0] for key, values in self._dict.items()}

    def keys(self):
        """The keys, each once."""
        return self._dict.keys()

    def values(self):
        """The first value of each key."""
        return self._firsts().values()

    def items(self):
        """Each key with its first value."""
        return self._firsts().items()

    def get(self, key, default=None):
        """The first value of the key."""
        values = self._dict.get(str(key)) if key in self._dict else None
        return values[0] if values is not None else default

    # as a list of pairs

    def multi_items(self):
        """All pairs, repeated keys included."""
        return [(key, value) for key, values in self._dict.items() for value in values]

    def get_list(self, key):
        """All values of the key."""
        return list(self._dict.get(str(key), ()))

    # changed copies

    def set(self, key, value=None):
        """A copy in which the key has this value alone."""
        return self._of({**self._dict, str(key): [primitive_value_to_str(value)]})

    def add(self, key, value=None):
        """A copy in which the key has this value as well."""
        return self._of({**self._dict, str(key): [*self.get_list(key), primitive_value_to_str(value)]})

    def remove(self, key):
        """A copy without the key."""
        return self._of({name: values for name, values in self._dict.items() if name != str(key)})

    def merge(self, params=None):
        """A copy in which the keys of `params` replace those of this one."""
        return self._of({**self._dict, **QueryParams(params)._dict})

    def update(self, params=None):
        raise RuntimeError("QueryParams cannot be changed. Use `q = q.merge(...)` for a changed copy.")

    def __setitem__(self, key, value):
        raise RuntimeError("QueryParams cannot be changed. Use `q = q.set(key, value)` for a changed copy.")

    # as a value

    def __hash__(self):
        return hash(str(self))

    def __eq__(self, other):
        if not isinstance(other, type(self)):
            return False
        return sorted(self.multi_items()) == sorted(other.multi_items())

    def __str__(self):
        if not self._dict:
            return ""
        from urllib.parse import urlencode

        return urlencode(self.multi_items())

    def __repr__(self):
        return f"{type(self).__name__}({str(self)!r})"


def _parse(query):
    from urllib.parse import parse_qs

    text = query.decode("ascii") if isinstance(query, bytes) else query
    return parse_qs(text, keep_blank_values=True)


def _collect(value):
    """The lists of values of a mapping, or of a sequence of pairs; both keys and values as text."""
    collected = {}
    if isinstance(value, (list, tuple)):
        for key, item in value:
            collected.setdefault(str(key), []).append(primitive_value_to_str(item))
        return collected
    for key, item in value.items():
        items = item if isinstance(item, (list, tuple)) else (item,)
        collected[str(key)] = [primitive_value_to_str(one) for one in items]
    return collected
