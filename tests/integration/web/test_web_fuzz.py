"""The JSON API under generated requests, held to its own OpenAPI document."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import positive_data_acceptance
from support.scene import Scene

from monitor.web import create_app, openapi

PATHS = openapi.document("1.2.3")["paths"]
WITH_QUERY = {
    path
    for path, item in PATHS.items()
    if any(p["in"] == "query" for p in item["get"]["parameters"])
}
CASES = [
    pytest.param(path, mode, id=f"{path} {mode.value}")
    for path in sorted(PATHS)
    for mode in GenerationMode
    if mode is GenerationMode.POSITIVE or path in WITH_QUERY  # any text may be the name of a key
]
LOCAL = {"Host": "localhost"}


@pytest.mark.parametrize(("path", "mode"), CASES)
def test_every_answer_is_as_the_document_says_and_none_is_a_fault(
    full_scene: Scene, path: str, mode: GenerationMode
) -> None:
    app = create_app(full_scene.context)
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=LOCAL)
    requests = schema[path]["GET"].as_strategy(generation_mode=mode)
    answers: list[int] = []

    @settings(
        max_examples=60,
        deadline=None,
        suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
    )
    @given(case=requests)
    def fuzz(case: Any) -> None:
        # Of `since` the document has no pattern: what is no time is refused, which is as it should.
        answer = case.call_and_validate(headers=LOCAL, excluded_checks=[positive_data_acceptance])
        answers.append(answer.status_code)

    fuzz()
    assert answers
    assert max(answers) < 500
