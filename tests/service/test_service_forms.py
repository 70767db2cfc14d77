"""Pictures sent as files of a form: how many, and by which name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import Service, png


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    few = {"CUTLINE_MAX_PICTURES": "3"}
    with Service("--model", "fake", cwd=tmp_path_factory.mktemp("forms"), env=few) as running:
        yield running


def files(field: str, count: int) -> list[tuple[str, tuple[str, bytes]]]:
    return [(field, (f"{number}.png", png(number))) for number in range(count)]


@pytest.mark.parametrize("path", ["/batch-caption", "/async-batch-caption"])
def test_more_than_are_taken(service: Service, path: str) -> None:
    assert service.client.post(path, files=files("images", 3)).status_code in {200, 202}
    answer = service.client.post(path, files=files("images", 4))
    assert (answer.status_code, answer.json()) == (413, {"detail": "at most 3 pictures per request"})


def test_two_where_one_is_taken(service: Service) -> None:
    answer = service.client.post("/caption", files=files("image", 2))
    assert (answer.status_code, answer.json()) == (
        413,
        {"detail": "at most 1 picture per request; /batch-caption takes several"},
    )


def test_files_of_another_name_are_not_left_out_in_silence(service: Service) -> None:
    answer = service.client.post("/batch-caption", files=[*files("images", 1), *files("image", 1)])
    assert answer.status_code == 422
    assert answer.json()["detail"] == "there is no field image for files: send them as images"
    answer = service.client.post("/caption", files=files("images", 1))
    assert answer.status_code == 422
    assert answer.json()["detail"] == (
        "there is no field images for files: send them as image, or several as images to /batch-caption"
    )


@pytest.mark.parametrize("values", [["a", "a"], ["a", "b", "c"]])
def test_a_field_that_is_given_twice_is_refused(service: Service, values: list[str]) -> None:
    answer = service.client.post("/caption", files=files("image", 1), data={"prompt": values})
    assert (answer.status_code, answer.json()) == (422, {"detail": "prompt: is given more than once"})
