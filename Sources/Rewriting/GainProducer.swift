import Checkpoints
import Foundations
import Symmetries

/// Writes one number for each channel in the place of a gain that has gone into other weights, or the gain again.
final class GainProducer: TensorProducer {
    let inputs: [(checkpoint: Checkpoint, tensor: TensorRecord)] = []
    let tiles: [Range<Int>]
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        tiles = bytes.isEmpty ? [] : [0..<bytes.count]
    }

    /// What is left of a gain: 1, as the norm stores it.
    static func one(_ gain: Site.Gain, _ tensor: TensorSpec) -> [UInt8] {
        let value = 1 - gain.offset
        func bytes(_ bits: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: bits.littleEndian, Array.init) }
        let own =
            switch tensor.type {
            case .bf16: bytes(UInt16(Float(value).bitPattern >> 16))
            case .f16: bytes(Float16(value).bitPattern)
            case .f32: bytes(Float(value).bitPattern)
            default: bytes(value.bitPattern)
            }
        return (0..<tensor.elementCount).flatMap { _ in own }
    }

    func write(_ tile: Range<Int>, into output: UnsafeMutableRawBufferPointer, scratch: WorkerScratch) throws {
        output.copyBytes(from: bytes[tile])
    }

    func finish() {}
}
