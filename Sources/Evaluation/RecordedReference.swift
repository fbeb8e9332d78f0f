import Checkpoints
import ForwardPass
import Verification

/// Inputs and outputs of a model as Hugging Face transformers computed them: a safetensors file with the inputs under their names
/// there, `output` from f32 arithmetic and `output_f64` from f64 arithmetic, as scripts/make_fixtures.py records them.
package struct RecordedReference: Sendable {
    package let inputs: ModelInputs
    /// One array of values per sequence, without padding.
    package let single: [[Double]]
    package let double: [[Double]]

    package init(reading path: String) throws {
        inputs = try ModelInputs(reading: path)
        let file = try Checkpoint(opening: path)
        let rows = inputs.decoderTokens.isEmpty ? inputs.tokens.map(\.count) : []
        single = Self.values("output", in: file, rows: rows)
        double = Self.values("output_f64", in: file, rows: rows)
    }

    private static func values(_ name: String, in file: Checkpoint, rows: [Int]) -> [[Double]] {
        guard let record = file.tensors[name] else { return [] }
        let count = record.elementCount
        let all = [Double](unsafeUninitializedCapacity: count) { buffer, filled in
            if let base = buffer.baseAddress { WeightReader(checkpoint: file).values(record, 0..<count, into: base) }
            filled = count
        }
        // Similarities are one matrix, not one per sequence; vectors of classes have no positions.
        guard record.shape.count == 3 else { return [all] }
        let size = record.shape[1] * record.shape[2]
        return (0..<record.shape[0]).map { sequence in
            let kept = sequence < rows.count ? rows[sequence] * record.shape[2] : size
            return Array(all[sequence * size..<sequence * size + min(kept, size)])
        }
    }
}
