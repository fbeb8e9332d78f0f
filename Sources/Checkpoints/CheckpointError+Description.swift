import Foundations
import Glibc

extension CheckpointError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .header(let file, let fault): "\(file): \(fault)"
        case .json(let file, let fault): "\(file): \(fault); repair or download the file again"
        case .index(let file, let fault): "\(file): \(fault)"
        case .notFound(let path): "\(path): no such file or directory; check the path"
        case .notInCache(let model, let cache):
            "\(model): no such directory, and not in the Hugging Face cache \(cache); check the path, or download it with `hf download \(model)`"
        case .notAFileOrDirectory(let path):
            "\(path): neither a model directory nor a .safetensors file; give one of the two"
        case .notADirectory(let path): "\(path): not a directory; give the model's directory"
        case .noWeights(let directory):
            "\(directory): found neither model.safetensors nor model.safetensors.index.json, nor one safetensors file beside a config.json; give a Hugging Face model directory"
        case .pickleOnly(let directory, let file):
            "\(directory): weights are only there as pickle (\(file)), which can run code when loaded and is not read; convert the model to safetensors first"
        case .sourceChanged(let file):
            "\(file): the file changed while it was being read; run again when nobody writes to it"
        case .refusedFile(let path, let refusal): "\(path): \(refusal)"
        case .keyInsideModel(let key, let model, let entry):
            "\(key): this key lies inside the model \(model) (\(entry)) and would be published with it; move it elsewhere first"
        case .namedWeights(let directory):
            "\(directory): config.json names the file of the weights (\(Checkpoint.weightsKey)), so that they cannot be sharded anew; keep the files as they are"
        case .outputExists(let path):
            "\(path): the output exists already and is never overwritten; choose another path or remove it"
        case .outputOverlapsInput(let output, let input):
            "\(output): the output lies inside the input \(input) or the other way round; choose a path beside it"
        case .outputParentMissing(let path): "\(path): the directory to write into does not exist; create it first"
        case .privateFileInside(let path, let directory):
            "\(path): lies inside the model \(directory) and would be published with it; choose a path outside"
        case .outputBusy(let path): "\(path): another run is writing this output; wait for it or choose another path"
        case .partialOutput(let path):
            "\(path): another run left this or is at work on it, and the file system has no locks to tell; remove it if no run is, or choose another output"
        case .nameNotUTF8(let directory, let name):
            "\(directory): the name of the file \"\(name)\" in it is not UTF-8; rename the file"
        case .notEnoughSpace(let path, let needed, let available):
            "\(path): the output needs \(needed) bytes, the disk has \(available) left; free space or choose another disk"
        case .diskFull(let path): "\(path): the disk is full; nothing was kept of the output, free space and run again"
        case .systemCall(let call, let path, let code):
            "\(path): \(call) failed: \(String(cString: strerror(code)))\(Self.advice(code))"
        case .interrupted: "\(Interrupted())"
        case .tilesDoNotCover(let tensor, let bytes):
            "tensor \(tensor): the rewriting plan does not cover its \(bytes) bytes; this is a fault of mergeproof, please report it"
        }
    }
}

extension CheckpointError {
    /// What to do about an errno.
    private static func advice(_ code: Int32) -> String {
        switch code {
        case EACCES, EPERM: "; check the permissions"
        case EFBIG: "; raise the limit on the size of files (ulimit -f)"
        case EISDIR: "; give a file"
        case EMFILE: "; raise the limit on open files (ulimit -n)"
        case ENAMETOOLONG: "; choose a shorter name"
        case ENOMEM: "; free memory or raise the limit on it (ulimit -v)"
        case ENOTDIR: "; check the path"
        case EROFS: "; choose a place that can be written to"
        default: ""
        }
    }
}

extension HeaderFault: CustomStringConvertible {
    public var description: String {
        let again = "the file is truncated or not safetensors; download it again"
        switch self {
        case .fileTooSmall(let bytes):
            return "expected at least 8 bytes for the header length, found \(bytes); \(again)"
        case .headerTooLarge(let length):
            return "header length \(length) exceeds the format's limit of 100000000 bytes; \(again)"
        case .headerBeyondFile(let length, let size):
            return "the header claims \(length) bytes but the file has only \(size); \(again)"
        case .headerStart(let byte): return "expected the header to start with '{', found byte \(byte); \(again)"
        case .json(let fault): return "invalid header: \(fault); do not trust this file"
        case .metadataNotStrings(let key):
            return "__metadata__ must map strings to strings, but \"\(key)\" does not; do not trust this file"
        case .emptyName: return "a tensor has an empty name; do not trust this file"
        case .tensorInfo(let tensor, let field):
            return "tensor \(tensor): \(field) is missing or malformed; do not trust this file"
        case .unknownType(let tensor, let type):
            return "tensor \(tensor): unknown dtype \"\(type)\"; a newer mergeproof may know it"
        case .sizeOverflow(let tensor): return "tensor \(tensor): its shape overflows any size; do not trust this file"
        case .misaligned(let tensor, let bits):
            return "tensor \(tensor): \(bits) bits do not fill whole bytes; do not trust this file"
        case .sizeMismatch(let tensor, let expected, let found):
            return
                "tensor \(tensor): shape and dtype need \(expected) bytes, data_offsets span \(found); do not trust this file"
        case .reversedOffsets(let tensor):
            return "tensor \(tensor): data_offsets end before they begin; do not trust this file"
        case .hole(let tensor, let expected, let found):
            return
                "tensor \(tensor): data begins at \(found), expected \(expected): unclaimed bytes lie between; do not trust this file"
        case .overlap(let tensor, let expected, let found):
            return
                "tensor \(tensor): data begins at \(found), expected \(expected): it overlaps another tensor; do not trust this file"
        case .dataSize(let expected, let found):
            return "the tensors need \(expected) bytes of data, the file has \(found); \(again)"
        }
    }
}

extension IndexFault: CustomStringConvertible {
    public var description: String {
        let again = "index and shards are at odds; download the model again"
        switch self {
        case .noWeightMap: return "weight_map is missing or not an object; \(again)"
        case .shardNotString(let tensor): return "weight_map gives no file name for tensor \(tensor); \(again)"
        case .unsafeShardName(let name):
            return
                "the weights are said to lie in \"\(name)\", which is not a plain .safetensors file name; do not trust this model"
        case .missingShard(let shard): return "shard \(shard) is missing; \(again)"
        case .tensorNotInShard(let tensor, let shard):
            return "tensor \(tensor) should be in shard \(shard) but is not; \(again)"
        case .tensorNotInIndex(let tensor, let shard):
            return "tensor \(tensor) of shard \(shard) is not in weight_map; \(again)"
        case .tensorInTwoShards(let tensor, let first, let second):
            return "tensor \(tensor) is in shard \(first) and in shard \(second); \(again)"
        case .equivalentNames(let tensor):
            return "tensor \(tensor) occurs in two Unicode spellings; do not trust this model"
        case .severalFiles(let names):
            return
                "expected one safetensors file, found \(names.prefix(3).joined(separator: ", ")); name the model's \(Checkpoint.singleName) and move the others away"
        case .diffusionModel(let name):
            return "\(name) belongs to a diffusion model, which is not supported; give a transformers model directory"
        case .unreferencedShard(let shard): return "shard \(shard) is there but is no part of the model; \(again)"
        }
    }
}
