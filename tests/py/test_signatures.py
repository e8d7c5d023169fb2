"""The classes that are compiled show the parameters that they take."""

import inspect

import pytest

import requestx

PARAMETERS = {
    "Request": "method url params headers cookies content data files json stream extensions",
    "Response": "status_code headers content text html json stream request extensions history default_encoding",
    "Headers": "headers encoding",
    "URL": "url kwargs",
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_class_shows_its_parameters(name):
    signature = inspect.signature(getattr(requestx, name))
    assert list(signature.parameters) == PARAMETERS[name].split()


def test_what_may_not_be_given_by_place():
    for name, first in (("Request", 2), ("Response", 1)):
        kinds = [parameter.kind for parameter in inspect.signature(getattr(requestx, name)).parameters.values()]
        assert set(kinds[first:]) == {inspect.Parameter.KEYWORD_ONLY}
