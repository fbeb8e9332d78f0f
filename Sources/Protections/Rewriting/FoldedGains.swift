import Checkpoints
import Foundations
import Symmetries

/// The gains of norms whose streams are turned: they go into the weights that read what the norms give, and 1 is left of each. What they
/// were is kept under the key, as nothing else would tell it.
struct FoldedGains: Sendable {
    private static let purpose = "gains"

    static let none = FoldedGains(stored: [:], values: [:])

    /// As the original stores them, by tensor.
    let stored: [String: [UInt8]]
    private let values: [Site.Gain: [Double]]

    private init(stored: [String: [UInt8]], values: [Site.Gain: [Double]]) {
        (self.stored, self.values) = (stored, values)
    }

    /// Reads those of an original.
    /// - Throws: `ProtectionError.vanishingGain` for one that can't be undone, `costlyBias` for one too small beside its norm's bias.
    init(_ sites: [Site], in original: Checkpoint) throws {
        var stored: [String: [UInt8]] = [:]
        for gain in sites.flatMap(\.folded) {
            guard let tensor = original.tensors[gain.tensor] else { continue }
            stored[gain.tensor] = Array(original.bytes(of: tensor))
        }
        self.init(stored: stored, values: try Self.values(sites, stored, in: original))
        for site in sites {
            guard let bias = TurnedBias.worst(at: site, in: original) else { continue }
            guard bias.multiple <= TurnedBias.largestMultiple else {
                throw ProtectionError.costlyBias(tensor: bias.tensor, multiple: bias.multiple)
            }
        }
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
                let count = tensor.elementCount
                let read = [Double](unsafeUninitializedCapacity: count) { buffer, filled in
                    bytes.withUnsafeBytes { bytes in
                        if let from = bytes.baseAddress, let to = buffer.baseAddress {
                            tensor.type.widen(from, into: to, count)
                        }
                    }
                    filled = count
                }
                values[gain] = read.map { $0 + gain.offset }
                // What is divided by when the original is restored must leave something to divide.
                if let channel = values[gain]?.firstIndex(where: { !($0.magnitude >= Self.least && $0.isFinite) }) {
                    throw ProtectionError.vanishingGain(tensor: gain.tensor, channel: channel)
                }
                guard count == site.group.dimension else {
                    throw SymmetryError.sliceOutsideTensor(
                        site: site.path, tensor: gain.tensor, axis: 0, end: site.group.dimension, shape: tensor.shape)
                }
            }
        }
        return values
    }

    /// Gains below this leave nothing of the weights that they go into.
    private static let least = 1e-6

    // MARK: Under the key

    /// What a manifest keeps; nil where nothing is folded.
    func sealed(_ sites: [Site], by derivation: Derivation) throws -> [UInt8]? {
        let names = Self.names(sites)
        guard !names.isEmpty else { return nil }
        return try derivation.seal(names.flatMap { stored[$0] ?? [] }, purpose: Self.purpose)
    }

    /// Opens what a manifest keeps.
    /// - Throws: `ProtectionError.manifest` where it was not sealed for these sites under this key.
    init(_ manifest: Manifest, _ sites: [Site], in protected: Checkpoint, by derivation: Derivation) throws {
        let names = Self.names(sites)
        let sizes = names.map { protected.tensors[$0]?.byteCount ?? 0 }
        guard !names.isEmpty else {
            self = .none
            return
        }
        guard let box = manifest.gains, let bytes = derivation.open(box, purpose: Self.purpose),
            bytes.count == sizes.reduce(0, +)
        else { throw ProtectionError.manifest(path: protected.path, field: Self.purpose) }
        var (stored, start) = ([String: [UInt8]](), 0)
        for (name, size) in zip(names, sizes) {
            stored[name] = Array(bytes[start..<start + size])
            start += size
        }
        self.init(stored: stored, values: try Self.values(sites, stored, in: protected))
    }

    private static func names(_ sites: [Site]) -> [String] {
        var seen: Set<String> = []
        return sites.flatMap(\.folded).map(\.tensor).filter { seen.insert($0).inserted }
    }
}

/// Writes one number for each channel in the place of a gain that has gone into other weights, or the gain again.
final class GainRewriter: TensorRewriter {
    let tiles: [Range<Int>]
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        tiles = bytes.isEmpty ? [] : [0..<bytes.count]
    }

    /// What is left of a gain: 1, as the norm stores it.
    static func one(_ gain: Site.Gain, _ tensor: TensorRecord) -> [UInt8] {
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
