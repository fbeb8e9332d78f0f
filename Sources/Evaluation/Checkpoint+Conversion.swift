import Checkpoints
import Foundations
import Glibc

extension Checkpoint {
    /// Values that are converted at a time.
    private static let chunk = 1 << 20

    /// Whether every floating tensor is stored in a type.
    package func isStored(as type: ElementType) -> Bool {
        tensors.values.allSatisfy { !$0.type.isComputable || $0.type == type }
    }

    /// Writes the model into a new directory with its floating weights in another type, each rounded once to nearest even (f64 by way of
    /// f32). All other tensors and files are copied; config.json names the type.
    package func convert(to type: ElementType, at path: String) throws {
        let system = PosixSystemCalls()
        try system.makeDirectory(path)
        let all = tensors.values.map { ($0, $0.type.isComputable ? type : $0.type) }
        let header = SafetensorsHeader.bytes(
            for: all.map { TensorSpec(name: $0.name, type: $1, shape: $0.shape) },
            metadata: .object(["format": .string("pt")]))
        let file = path + "/" + Checkpoint.singleName
        let descriptor = try system.open(file, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        defer { system.close(descriptor) }
        var offset = header.count
        try header.withUnsafeBytes { try system.write(descriptor, $0, offset: 0, path: file) }
        for (tensor, target) in all {
            try forEachChunk(of: tensor, in: target) { bytes in
                try system.write(descriptor, bytes, offset: offset, path: file)
                offset += bytes.count
            }
            releasePages(of: tensor)
        }
        try copySidecars(to: path, naming: type, system)
    }

    private func forEachChunk(
        of tensor: TensorRecord, in type: ElementType, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        let bytes = bytes(of: tensor)
        guard type != tensor.type, let base = bytes.baseAddress else { return try body(bytes) }
        let width = type.bitWidth / 8
        try withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.chunk) { wide in
            try withUnsafeTemporaryAllocation(byteCount: Self.chunk * width, alignment: 8) { narrow in
                guard let values = wide.baseAddress, let target = narrow.baseAddress else { return }
                for start in stride(from: 0, to: tensor.elementCount, by: Self.chunk) {
                    let count = min(Self.chunk, tensor.elementCount - start)
                    tensor.type.widen(base + start * tensor.type.bitWidth / 8, into: values, count)
                    type.narrow(values, into: target, count)
                    try body(UnsafeRawBufferPointer(rebasing: narrow[..<(count * width)]))
                }
            }
        }
    }

    private func copySidecars(to path: String, naming type: ElementType, _ system: PosixSystemCalls) throws {
        let name = [ElementType.bf16: "bfloat16", .f16: "float16", .f64: "float64"][type] ?? "float32"
        var made: Set<String> = []
        for entry in sidecars {
            var folder = path
            for component in entry.relativePath.split(separator: "/").dropLast() {
                folder += "/\(component)"
                if made.insert(folder).inserted { try system.makeDirectory(folder) }
            }
            var bytes = try self.bytes(ofFile: entry.relativePath, size: entry.size, system)
            if entry.relativePath == "config.json", var config = config?.root.object {
                for key in ["torch_dtype", "dtype"] where config[key] != nil { config[key] = .string(name) }
                bytes = Array(JSONValue.object(config).serialized(indented: true).utf8)
            }
            let target = path + "/" + entry.relativePath
            let descriptor = try system.open(target, flags: O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
            defer { system.close(descriptor) }
            try bytes.withUnsafeBytes { try system.write(descriptor, $0, offset: 0, path: target) }
        }
    }

    private func bytes(ofFile name: String, size: Int, _ system: PosixSystemCalls) throws -> [UInt8] {
        let file = path + "/" + name
        let descriptor = try system.open(file, flags: O_RDONLY, mode: 0)
        defer { system.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: size)
        let count = try bytes.withUnsafeMutableBytes {
            try system.read(descriptor, into: $0, offset: 0, path: file)
        }
        return Array(bytes[..<count])
    }
}
