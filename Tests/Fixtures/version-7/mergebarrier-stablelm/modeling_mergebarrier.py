# Written by mergeproof: a transformers model whose MLPs have a polynomial of its own on every hidden channel in the place of their
# activation (MergeBarrier, arXiv 2511.10712).
import torch
import transformers
from torch import nn
from transformers import AutoModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

try:  # From version 5 on, by model_type or by a class's name.
    from transformers.conversion_mapping import (
        WeightRenaming, get_checkpoint_conversion_mapping, get_model_conversion_mapping, register_checkpoint_conversion_mapping)
except ImportError:
    get_model_conversion_mapping = None

NATIVE = getattr(transformers, "StableLmForCausalLM")
BACKBONE = getattr(transformers, MODEL_MAPPING_NAMES.get(NATIVE.config_class.model_type, "StableLmForCausalLM"))
SERIES = ".mergebarrier.series"
# What transformers calls the activation within the module that holds an MLP's first map.
ACTIVATIONS = [
    "act_fn", "activation_fn", "intermediate_act_fn", "act", "activation", "activation_func", "activation_function", "gelu_impl",
]


class ChannelPolynomials(nn.Module):
    """y_j = sum over n of a_jn T_n(t_j), t_j = clamp((z_j - c_j) s_j, -1, 1), with Chebyshev's polynomials T_n.

    A row of the series is (c, s, a_0, ..., a_N).
    """

    def __init__(self, channels, order):
        super().__init__()
        self.series = nn.Parameter(torch.empty(channels, order + 3, dtype=torch.float32), requires_grad=False)

    def forward(self, z):
        wide = torch.promote_types(z.dtype, torch.float32)
        centre, scale, *coefficients = self.series.to(wide).unbind(-1)
        t = ((z.to(wide) - centre) * scale).clamp(-1, 1)
        following, after = coefficients[-1].expand_as(t), torch.zeros_like(t)
        for a in reversed(coefficients[1:-1]):
            following, after = 2 * t * following - after + a, following
        return (t * following - after + coefficients[0]).to(z.dtype)


def install(model, native, polynomials):
    """Puts polynomials in the place of the activations behind the maps that config.json names as they are stored."""
    transforms = conversions(model)
    base = model.base_model_prefix
    moved = []
    for stored, channels in polynomials["modules"].items():
        name = renamed(stored + ".weight", transforms).removesuffix(".weight")
        names = [name, name.removeprefix(base + "."), base + "." + name]
        name = next((name for name in names if has(model, name)), None)
        if name is None:
            continue  # A part that this class has not.
        module = model.get_submodule(name.rpartition(".")[0])
        attributes = [attribute for attribute in ACTIVATIONS if callable(getattr(module, attribute, None))]
        if len(attributes) != 1:
            raise ValueError(f"{name}: expected one activation, found {attributes}; use another version of transformers")
        module.add_module("mergebarrier", ChannelPolynomials(channels, polynomials["order"]))
        delattr(module, attributes[0])
        object.__setattr__(module, attributes[0], module.mergebarrier)
        before, after = (path.rpartition(".")[0] + SERIES for path in (stored, name))
        if renamed(before, transforms) != after:
            moved.append((before, after))
    if moved and transforms:
        renamings = [WeightRenaming(before.replace(".", r"\."), after) for before, after in moved]
        adopt(native, type(model).__name__, renamings)


def has(model, name):
    try:
        return model.get_submodule(name) is not None
    except AttributeError:
        return False


def adopt(native, own, renamings=()):
    """Has transformers do to the names of stored tensors what it does for the native class: by the class's name where that has rules of its
    own, else by the model's type."""
    names = ((native.__name__, own), (native.config_class.model_type, MergeBarrierConfig.model_type))
    for before, after in names:
        rules = get_checkpoint_conversion_mapping(before)
        if rules is not None or (renamings and after == names[-1][1]):
            register_checkpoint_conversion_mapping(after, [*renamings, *(rules or [])], overwrite=True)
            renamings = ()


def conversions(model):
    """What transformers changes in the names of stored tensors."""
    return get_model_conversion_mapping(model) if get_model_conversion_mapping else []


def renamed(key, transforms):
    for transform in transforms:
        key, _ = transform.rename_source_key(key)
    return key


class MergeBarrierConfig(NATIVE.config_class):
    model_type = "mergebarrier_" + NATIVE.config_class.model_type


def protected(native):
    class Protected(native):
        """The native model with polynomials."""

        config_class = MergeBarrierConfig
        # Coefficients stay what they are, whatever type the model is loaded in.
        _keep_in_fp32_modules_strict = [*(getattr(native, "_keep_in_fp32_modules_strict", None) or []), "mergebarrier"]

        def __init__(self, config, *arguments, **options):
            super().__init__(config, *arguments, **options)
            install(self, native, config.mergebarrier)

    return Protected


class MergeBarrierStableLmForCausalLMBackbone(protected(BACKBONE)):
    pass


class MergeBarrierStableLmForCausalLM(protected(NATIVE)):
    pass


# Some classes make their backbone by its configuration.
AutoModel.register(MergeBarrierConfig, MergeBarrierStableLmForCausalLMBackbone, exist_ok=True)
if get_model_conversion_mapping:
    adopt(BACKBONE, "MergeBarrierStableLmForCausalLMBackbone")
    adopt(NATIVE, "MergeBarrierStableLmForCausalLM")
