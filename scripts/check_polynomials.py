#!/usr/bin/env python3
"""Checks with Hugging Face transformers that models whose activations were stated as polynomials load with the code beside them, and
that transformers and mergeproof compute the same of them.

    python3 scripts/check_polynomials.py [--binary PATH] [--fixtures DIR] [--only NAME ...] [--order N]
                                         (needs torch, transformers, safetensors)

Every recorded model is protected by `mergebarrier --ffn fit`, calibrated on its recorded inputs, and evaluated by transformers, which finds
its classes by config.json's auto_map, and by `mergeproof outputs`, both in f64. Relative errors are norms over a whole output. Models that
mergeproof refuses are told with the reason, which is no failure. Without trust_remote_code nothing may load. Exit code 1 when anything fails.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from check_transformers import Fault, recorded, relative, run, weights, without_padding
import torch
import transformers
from make_fixtures import outputs_of, widened

LIMIT = 1e-12

def load(directory):
    config = transformers.AutoConfig.from_pretrained(directory, trust_remote_code=True)
    kind = next(name for name, own in config.auto_map.items() if own.split(".")[1] == config.architectures[0])
    attention = "sdpa" if getattr(config, "alibi", False) else "eager"
    try:
        getattr(transformers, kind).from_pretrained(directory, trust_remote_code=False)
        raise Fault("loads without trust_remote_code")
    except ValueError as error:
        if "custom code" not in str(error):
            raise
    _, info = getattr(transformers, kind).from_pretrained(
        directory, trust_remote_code=True, attn_implementation=attention, output_loading_info=True)
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        keys = [key for key in info[what] if "position_ids" not in str(key)]
        if keys:
            raise Fault(f"{what}: {keys}")
    model = transformers.dynamic_module_utils.get_class_from_dynamic_module(config.auto_map[kind], directory)
    tensors = weights(directory)  # the stored values, to be cast up
    with widened():
        wide = model.from_pretrained(None, config=config, state_dict=tensors, dtype=torch.float64, attn_implementation=attention,
                                     experts_implementation="eager")
        return wide.double().eval()


def check(binary, key, fixtures, name, order, scratch):
    """The relative error, or the reason of a refusal."""
    source, record = fixtures / name, fixtures / "references" / f"{name}.safetensors"
    target = scratch / name
    try:
        run(binary, "protect", source, "-o", target, "--method", "mergebarrier", "--ffn", "fit", "--order", order, "--calibration", record,
            "--key", key)
    except Fault as fault:
        return str(fault)
    line = json.loads(run(binary, "outputs", target, "--inputs", record))
    if "error" in line:
        raise Fault(line["error"])
    inputs, _ = recorded(record)
    model = load(target)
    with widened(), torch.no_grad():
        theirs = without_padding(outputs_of(model, {k: v.double() if v.is_floating_point() else v for k, v in inputs.items()}), inputs)
    ours = torch.tensor([value for part in line["outputs"] for value in part], dtype=torch.float64)
    return relative(theirs["output"].reshape(-1), ours)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--binary", default=root / ".build/release/mergeproof", type=pathlib.Path)
    parser.add_argument("--fixtures", default=root / "Tests/Fixtures", type=pathlib.Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--order", default=3, type=int)
    arguments = parser.parse_args()
    names = arguments.only or sorted(path.stem for path in (arguments.fixtures / "references").glob("*.safetensors"))
    failures = refusals = 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        key = scratch / "key"
        subprocess.run([arguments.binary, "keygen", "-o", key], check=True, capture_output=True)
        for name in names:
            try:
                found = check(arguments.binary, key, arguments.fixtures, name, arguments.order, scratch)
                if isinstance(found, str):
                    refusals += 1
                    print(f"{name:32} refused: {found}", flush=True)
                else:
                    failures += not found <= LIMIT
                    print(f"{name:32} {found:10.1e}  {'ok' if found <= LIMIT else 'FAILED'}", flush=True)
            except Exception as fault:  # whatever transformers raises
                failures += 1
                print(f"{name:32} FAILED: {type(fault).__name__}: {str(fault)[:300]}", flush=True)
            shutil.rmtree(scratch / name, ignore_errors=True)
    print(f"{len(names)} models, {refusals} refused, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
