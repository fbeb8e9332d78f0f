"""What the scripts about experts of the BERT kind share: reading rows and models, batches, accuracy, weights of a layer, metrics.

Weights are dictionaries of f64 tensors by their names in the checkpoint. A projection with its bias is one matrix [W, b], acting on [x, 1].
"""
import json
import os

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import torch
import transformers
from safetensors.torch import load_file

transformers.utils.logging.disable_progress_bar()


def read_rows(path):
    """{"input_ids": [...], "label": 3} per line of a file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def random_rows(count, vocabulary, like, seed=0):
    """`count` texts of random token ids, as long as those of `like` and between their first and last token."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for row in (like * -(-count // len(like)))[:count]:
        ids = torch.randint(1000, vocabulary, (len(row["input_ids"]),), generator=generator).tolist()
        rows.append({"input_ids": row["input_ids"][:1] + ids[1:-1] + row["input_ids"][-1:]})
    return rows


def padded(rows):
    """Token ids and attention mask of several texts, padded at the end."""
    width = max(len(row["input_ids"]) for row in rows)
    ids = torch.tensor([row["input_ids"] + [0] * (width - len(row["input_ids"])) for row in rows])
    mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (width - len(row["input_ids"])) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def batches(rows, size=64):
    rows = sorted(rows, key=lambda row: len(row["input_ids"]))
    return [rows[start:start + size] for start in range(0, len(rows), size)]


@torch.inference_mode()
def logits(model, rows):
    """The logits of every text, in the order of `batches`."""
    return torch.cat([model.eval()(**padded(part)).logits for part in batches(rows)])


def score(found, rows):
    """The share of texts whose largest logit is their label's."""
    labels = [row["label"] for part in batches(rows) for row in part]
    return (found.argmax(-1) == torch.tensor(labels)).double().mean().item()


def accuracy(model, rows):
    return score(logits(model, rows), rows)


def load_model(directory):
    return transformers.AutoModelForSequenceClassification.from_pretrained(directory, dtype=torch.float32).eval()


def read_weights(directory):
    """All tensors of a checkpoint in f64, whatever the number of its files."""
    weights = {}
    for file in sorted(directory.glob("*.safetensors")):
        weights |= load_file(file)
    return {name: value.double() if value.is_floating_point() else value for name, value in weights.items()}


def with_weights(model, weights):
    """`model` with these weights in place of its own."""
    model.load_state_dict({name: value.float() for name, value in weights.items() if value.is_floating_point()}, strict=False)
    return model


class Layer:
    """The names of one layer's projections, and their matrices [W, b]."""

    def __init__(self, config, index):
        prefix = f"bert.encoder.layer.{index}"
        self.heads, self.size = config.num_attention_heads, config.hidden_size // config.num_attention_heads
        self.query, self.key, self.value = (f"{prefix}.attention.self.{name}" for name in ("query", "key", "value"))
        self.output, self.up, self.down = f"{prefix}.attention.output.dense", f"{prefix}.intermediate.dense", f"{prefix}.output.dense"

    @staticmethod
    def matrix(weights, name):
        return torch.cat([weights[f"{name}.weight"], weights[f"{name}.bias"][:, None]], 1)

    @staticmethod
    def write(weights, name, matrix):
        weights[f"{name}.weight"], weights[f"{name}.bias"] = matrix[:, :-1].contiguous(), matrix[:, -1].contiguous()

    def rows(self, head):
        """The channels of a head: rows of query, key and value, columns of output."""
        return slice(head * self.size, (head + 1) * self.size)


def layers(config):
    return [Layer(config, index) for index in range(config.num_hidden_layers)]


@torch.inference_mode()
def input_metrics(model, rows):
    """E[x̃ x̃ᵀ] with x̃ = [x, 1] of the inputs of every layer's projections, over the tokens of `rows`: (d+1) x (d+1) by projection.

    Query, key and value read the same input, which is named by the value.
    """
    sums, count, mask = {}, 0, None

    def hook(name):
        def add(_, inputs):
            x = inputs[0][mask].double()
            x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
            sums[name] = sums.get(name, 0) + x.T @ x
        return add

    modules = dict(model.named_modules())
    names = [name for layer in layers(model.config) for name in (layer.value, layer.output, layer.up, layer.down)]
    handles = [modules[name].register_forward_pre_hook(hook(name)) for name in names]
    for part in batches(rows):
        inputs = padded(part)
        mask = inputs["attention_mask"].bool()
        count += int(mask.sum())
        model.eval()(**inputs)
    for handle in handles:
        handle.remove()
    return {name: value / count for name, value in sums.items()}


def norm_metrics(weights, config):
    """E[x̃ x̃ᵀ] as the weights alone foretell it: x = g z + b behind a layer norm with gain g and bias b, z white."""
    metrics, before = {}, "bert.embeddings.LayerNorm"
    for layer in layers(config):
        for name, norm in ((layer.value, before), (layer.up, layer.output.replace("dense", "LayerNorm"))):
            mean = torch.cat([weights[f"{norm}.bias"], torch.ones(1, dtype=torch.float64)])
            metrics[name] = mean.outer(mean)
            metrics[name].diagonal()[:-1] += weights[f"{norm}.weight"].square()
        before = layer.down.replace("dense", "LayerNorm")
    return metrics


def output_metrics(model, rows, seed=0):
    """E[g gᵀ], g the gradients of random unit combinations of the logits at the outputs of attention and MLP: d x d by projection."""
    sums, mask, generator = {}, None, torch.Generator().manual_seed(seed)

    def hook(name):
        def watch(_, __, result):
            def add(gradient):
                g = gradient[mask].double()
                sums[name] = sums.get(name, 0) + g.T @ g
            result.register_hook(add)
        return watch

    modules = dict(model.named_modules())
    handles = [modules[name].register_forward_hook(hook(name)) for layer in layers(model.config) for name in (layer.output, layer.down)]
    for part in batches(rows):
        inputs = padded(part)
        mask = inputs["attention_mask"].bool()
        found = model.eval()(**inputs).logits
        (found * torch.randn(found.shape, generator=generator)).sum().backward()
        model.zero_grad()
    for handle in handles:
        handle.remove()
    return {name: value / len(rows) for name, value in sums.items()}
