import Foundations

/// Everything that reading or writing a checkpoint refuses, each cause a case of its own.
public enum CheckpointError: Error, Sendable, Equatable {
    case header(file: String, HeaderFault)
    case json(file: String, JSONFault)
    case index(file: String, IndexFault)
    case notFound(path: String)
    /// An `org/name` that is neither a path nor in the Hugging Face cache.
    case notInCache(model: String, cache: String)
    case notAFileOrDirectory(path: String)
    case notADirectory(path: String)
    case noWeights(directory: String)
    /// Only pickled weights: loading those would run code from the checkpoint.
    case pickleOnly(directory: String, file: String)
    case sourceChanged(file: String)
    /// A file beside which the model cannot be copied to any use.
    case refusedFile(path: String, Refusal)
    /// A secret key lies in the model directory.
    case keyInsideModel(key: String, model: String, entry: String)
    /// config.json names the weights' file, so that they cannot be spread over others.
    case namedWeights(directory: String)
    case outputExists(path: String)
    case outputOverlapsInput(output: String, input: String)
    case outputParentMissing(path: String)
    /// What is its owner's alone would be published with a model.
    case privateFileInside(path: String, directory: String)
    case outputBusy(path: String)
    /// What another run left or is at work on, where the file system has no locks to tell.
    case partialOutput(path: String)
    case nameNotUTF8(directory: String, name: String)
    case notEnoughSpace(path: String, needed: Int, available: Int)
    case diskFull(path: String)
    case systemCall(call: String, path: String, code: Int32)
    /// The user or the system asked the run to stop.
    case interrupted
    /// Tiles of a rewritten tensor that do not cover it from its first byte to its last.
    case tilesDoNotCover(tensor: String, bytes: Int)
}

/// What a safetensors header may be guilty of.
public enum HeaderFault: Error, Sendable, Equatable {
    case fileTooSmall(bytes: Int)
    case headerTooLarge(length: UInt64)
    case headerBeyondFile(length: Int, fileSize: Int)
    case headerStart(found: UInt8)
    case json(JSONFault)
    case metadataNotStrings(key: String)
    case emptyName
    case tensorInfo(tensor: String, field: String)
    case unknownType(tensor: String, type: String)
    case sizeOverflow(tensor: String)
    case misaligned(tensor: String, bits: Int)
    case sizeMismatch(tensor: String, expected: Int, found: Int)
    /// data_offsets whose end lies before their begin.
    case reversedOffsets(tensor: String)
    case hole(tensor: String, expected: Int, found: Int)
    case overlap(tensor: String, expected: Int, found: Int)
    case dataSize(expected: Int, found: Int)
}

/// How an index and its shards may be at odds.
public enum IndexFault: Error, Sendable, Equatable {
    case noWeightMap
    case shardNotString(tensor: String)
    case unsafeShardName(String)
    case missingShard(String)
    case tensorNotInShard(tensor: String, shard: String)
    case tensorNotInIndex(tensor: String, shard: String)
    case tensorInTwoShards(tensor: String, first: String, second: String)
    /// Names that Unicode calls equal but whose bytes differ.
    case equivalentNames(tensor: String)
    case unreferencedShard(String)
    /// Files of other names than Hugging Face's, of which it cannot be told which is the model.
    case severalFiles([String])
    case diffusionModel(String)
}
