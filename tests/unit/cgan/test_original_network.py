import torch

from workers.cgan.original.network import Discriminator, Generator, OriginalConfig

NARROW = OriginalConfig(widths=(2, 3, 4, 5, 6))


def count_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_networks_have_the_originals_size():
    with torch.device("meta"):
        assert count_parameters(Generator()) == 34_524_099
        assert count_parameters(Discriminator()) == 18_264_833


def test_grey_becomes_colour_of_the_same_size():
    rgb = Generator(NARROW)(torch.rand(2, 1, 128, 128))
    assert rgb.shape == (2, 3, 128, 128)
    assert rgb.abs().max() <= 1


def test_a_picture_is_judged_by_one_number_that_depends_on_colour_and_grey():
    torch.manual_seed(0)
    judge = Discriminator(NARROW).eval()
    rgb, grey = torch.rand(2, 3, 128, 128), torch.rand(2, 1, 128, 128)
    score = judge(rgb, grey)
    assert score.shape == (2, 1)
    assert ((score > 0) & (score < 1)).all()
    assert not torch.equal(score, judge(1 - rgb, grey))
    assert not torch.equal(score, judge(rgb, 1 - grey))
