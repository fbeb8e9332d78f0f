import Checkpoints
import Foundations

/// A model in memory that tests change and write as a directory with one safetensors file.
public struct EditableModel {
    public struct Tensor {
        public var name: String
        public var type: ElementType
        public var shape: [Int]
        public var bytes: [UInt8]

        public init(name: String, type: ElementType, shape: [Int], bytes: [UInt8]) {
            (self.name, self.type, self.shape, self.bytes) = (name, type, shape, bytes)
        }
    }

    public var tensors: [Tensor]
    public var config: JSONObject

    /// Reads any model directory, sharded or not.
    public init(reading path: String) throws {
        let checkpoint = try Checkpoint(opening: path)
        tensors = checkpoint.tensors.values.map {
            Tensor(name: $0.name, type: $0.type, shape: $0.shape, bytes: Array(checkpoint.bytes(of: $0)))
        }
        guard let config = checkpoint.config?.root.object else { throw TestFailure("no config.json in \(path)") }
        self.config = config
    }

    /// The tensors of one file, without a configuration.
    public init(readingTensors path: String) throws {
        let file = try Checkpoint(opening: path)
        tensors = file.tensors.values.map {
            Tensor(name: $0.name, type: $0.type, shape: $0.shape, bytes: Array(file.bytes(of: $0)))
        }
        config = JSONObject()
    }

    public func index(_ name: String) throws -> Int {
        guard let index = tensors.firstIndex(where: { $0.name == name }) else { throw TestFailure("no tensor \(name)") }
        return index
    }

    /// Writes config.json and model.safetensors into a directory, which is made.
    @discardableResult
    public func write(to path: String) throws -> String {
        try Files.makeDirectory(path)
        try Files.write(JSONValue.object(config).serialized(indented: true), to: path + "/config.json")
        try Files.write(safetensors, to: path + "/model.safetensors")
        return path
    }

    /// The bytes of model.safetensors.
    public var safetensors: [UInt8] {
        SafetensorsHeader.bytes(
            for: tensors.map { TensorSpec(name: $0.name, type: $0.type, shape: $0.shape) }, metadata: nil)
            + tensors.flatMap(\.bytes)
    }

    /// Changes the f32 values of a tensor.
    public mutating func edit(_ name: String, _ body: (inout [Float]) -> Void) throws {
        let place = try index(name)
        guard tensors[place].type == .f32 else { throw TestFailure("\(name) is not F32") }
        var values = tensors[place].bytes.withUnsafeBytes { raw in
            (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
        }
        body(&values)
        tensors[place].bytes = values.withUnsafeBytes { Array($0) }
    }

    /// The f32 values of a tensor.
    public func values(_ name: String) throws -> [Float] {
        var values: [Float] = []
        var copy = self
        try copy.edit(name) { values = $0 }
        return values
    }

    /// Casts every f32 tensor to f64 or rounds it to a 16-bit type's bits by `convert`.
    public mutating func convert(to type: ElementType, _ convert: (Float) -> [UInt8]) throws {
        for place in tensors.indices where tensors[place].type == .f32 {
            let values = try values(tensors[place].name)
            tensors[place].bytes = values.flatMap(convert)
            tensors[place].type = type
        }
    }
}
