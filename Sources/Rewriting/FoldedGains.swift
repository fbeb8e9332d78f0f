import Checkpoints
import Symmetries

/// The gains of norms whose streams are turned: they go into the weights that read what the norms give, and 1 is left of each.
public struct FoldedGains: Sendable {
    public static let none = FoldedGains(stored: [:], values: [:])

    /// As the original stores them, by tensor.
    public let stored: [String: [UInt8]]
    private let values: [Site.Gain: [Double]]

    private init(stored: [String: [UInt8]], values: [Site.Gain: [Double]]) {
        (self.stored, self.values) = (stored, values)
    }

    /// Reads those of an original.
    /// - Throws: `RewritingError.vanishingGain` for one that can't be undone, `costlyBias` for one too small beside its norm's bias.
    public init(_ sites: [Site], in original: Checkpoint) throws {
        var stored: [String: [UInt8]] = [:]
        for gain in sites.flatMap(\.folded) {
            guard let tensor = original.tensors[gain.tensor] else { continue }
            stored[gain.tensor] = Array(original.bytes(of: tensor))
        }
        self.init(stored: stored, values: try Self.values(sites, stored, in: original))
        for site in sites {
            guard let bias = TurnedBias.worst(at: site, in: original) else { continue }
            guard bias.multiple <= TurnedBias.largestMultiple else {
                throw RewritingError.costlyBias(tensor: bias.tensor, multiple: bias.multiple)
            }
        }
    }

    /// Takes those that were kept of an original.
    /// - Parameter checkpoint: the original or what was made of it: types and shapes are the same.
    public init(_ stored: [String: [UInt8]], _ sites: [Site], in checkpoint: Checkpoint) throws {
        self.init(stored: stored, values: try Self.values(sites, stored, in: checkpoint))
    }

    /// One factor for each channel; nil where the norm has none.
    subscript(_ gain: Site.Gain) -> [Double]? { values[gain] }

    private static func values(
        _ sites: [Site], _ stored: [String: [UInt8]], in checkpoint: Checkpoint
    ) throws -> [Site.Gain: [Double]] {
        var values: [Site.Gain: [Double]] = [:]
        for site in sites {
            for gain in site.folded {
                guard let tensor = checkpoint.tensors[gain.tensor], let bytes = stored[gain.tensor],
                    bytes.count == tensor.byteCount, tensor.type.isComputable
                else { continue }
                values[gain] = bytes.withUnsafeBytes(tensor.type.doubles).map { $0 + gain.offset }
                // What is divided by when the original is restored must leave something to divide.
                if let channel = values[gain]?.firstIndex(where: { !($0.magnitude >= Self.least && $0.isFinite) }) {
                    throw RewritingError.vanishingGain(tensor: gain.tensor, channel: channel)
                }
                guard tensor.elementCount == site.group.dimension else {
                    throw SymmetryError.sliceOutsideTensor(
                        site: site.path, tensor: gain.tensor, axis: 0, end: site.group.dimension, shape: tensor.shape)
                }
            }
        }
        return values
    }

    /// Gains below this leave nothing of the weights that they go into.
    private static let least = 1e-6
}

extension Site.Gain {
    /// What is left of it once it has gone into other weights: 1, as the norm stores it, for each channel of a tensor.
    func ones(_ tensor: TensorSpec) -> [UInt8] {
        let value = 1 - offset
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
}
