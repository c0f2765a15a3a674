"""Convolutions as Muon steps them. Pure; for the stages that have PyTorch.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks".
"""

from collections.abc import Iterable

from torch import Tensor, nn


def view_as_matrices(convolutions: Iterable[nn.Conv2d]) -> list[tuple[nn.Parameter, nn.Parameter]]:
    """Each convolution's weight with a matrix (out, everything else) that shares its memory: Muon's view of it.

    Args:
        convolutions: in channels-last memory; without the first and the last, which keep to Adam, as Muon's authors
            advise.
    """
    weights = (convolution.weight for convolution in convolutions)
    return [(weight, nn.Parameter(as_matrix(weight.detach()))) for weight in weights]


def as_matrix(weight: Tensor) -> Tensor:
    """(O, I, h, w) in channels-last memory as (O, h · w · I), without a copy; which column is which does not matter."""
    return weight.permute(0, 2, 3, 1).flatten(1)
