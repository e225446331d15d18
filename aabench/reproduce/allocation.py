"""Whether a training keeps its freed memory for the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aabench.train import Plan


def tune_allocator(plan: Plan) -> str:
    """On a CPU, keep freed memory for the rest of the process where that is safe: large temporaries are not paged in
    anew each step. What was done, for the row.
    """
    from aabench import allocator
    from aabench.models import create_model
    from aabench.profile import Way
    from aabench.profile.predict import predict

    if plan.device != "cpu":
        return "torch's CUDA allocator"
    arguments: dict[str, Any] = dict(plan.arguments)
    model = create_model(
        plan.model, input_size=plan.input_size, num_classes=plan.num_classes, device="meta", **arguments
    )
    recipe = plan.recipe
    way = Way("train", recipe.batch_size // recipe.accumulate, recipe.precision, channels_last=plan.channels_last)
    if allocator.warm_is_safe(predict(model, plan.input_size, plan.num_classes, way).peak):
        return allocator.warm()
    return "as the environment has it"
