import Architectures
import Checkpoints
import Evaluation
import Foundation
import Protections
import TestSupport
import Testing

/// How far locks move weights: measured as it is defined, and the page says what was measured.
@Suite struct DisplacementTableTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func row(_ name: String, _ change: (inout ProtectionOptions) -> Void) throws -> DisplacementTable.Row {
        var options = ProtectionOptions(method: .full)
        change(&options)
        return try DisplacementTable(scratch: folder("m"), keys: 2, threads: 1)
            .row(Checkpoint(opening: Fixtures.path(name)), options, inputs: nil) { Files.remove($0) }
    }

    /// Against the definition, over the tensors of one lock.
    @Test func displacementIsThatOfTheWeights() throws {
        let row = try row("llama") {
            $0.method = .mergelock
            $0.layers = [1]
        }
        var (all, moved) = (0.0, 0.0)
        for key in 0..<2 as Range<UInt8> {
            var options = ProtectionOptions(repeatable: .mergelock)
            options.layers = [1]
            Files.remove(folder("p"))
            _ = try Protector.unsynchronized.protect(
                Checkpoint(opening: Fixtures.path("llama")), to: folder("p"),
                key: SecretKey(bytes: [UInt8](repeating: key, count: 32)), options: options)
            let (a, b) = (try EditableModel(reading: Fixtures.path("llama")), try EditableModel(reading: folder("p")))
            var (difference, size, movedSize) = (0.0, 0.0, 0.0)
            for (place, tensor) in a.tensors.enumerated() {
                let (x, y) = (try a.floats(tensor.name), try b.floats(tensor.name))
                let square = x.reduce(0) { $0 + $1 * $1 }
                difference += zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                size += square
                if tensor.bytes != b.tensors[place].bytes { movedSize += square }
            }
            all += (difference / size).squareRoot() / 2
            moved += (difference / movedSize).squareRoot() / 2
        }
        #expect((row.displacement - all).magnitude < 1e-9 * all)
        #expect((row.movedDisplacement - moved).magnitude < 1e-9 * moved && moved > 1.5 * all)
        #expect(row.isSameFunction && !row.isRestoredBitForBit && row.restorationError < 1e-6)
        #expect(row.rounding > 0.3 && row.rounding < 2 && row.rewrittenShare > 0 && row.rewrittenShare < 0.5)
        #expect(Files.names(in: folder.path) == ["p"])
    }

    @Test func whatKeepsBitsComesBack() throws {
        let row = try row("llama") { $0.method = .lossless }
        #expect(row.isSameFunction && row.isRestoredBitForBit && row.restorationError == 0 && row.rounding < 1e-6)
    }

    /// Each weight is rounded once, to nearest even; what is no weight stays.
    @Test(arguments: ["bert", "llama_bf16", "clip"], [ElementType.bf16, .f16, .f32])
    func conversionRoundsOnce(name: String, type: ElementType) throws {
        let source = try Checkpoint(opening: Fixtures.path(name))
        try CheckpointWriter().write(.converting(source, to: type), to: folder("c"))
        let copy = try Checkpoint(opening: folder("c"))
        #expect(
            copy.tensors.values.allSatisfy { !$0.type.isComputable || $0.type == type }
                && Array(copy.tensors.keys) == Array(source.tensors.keys))
        let expected = try EditableModel(reading: Fixtures.path(name))
        let widened = try expected.tensors.map { tensor in
            tensor.type.isComputable ? try expected.floats(tensor.name) : []
        }
        let found = try EditableModel(reading: folder("c"))
        for (place, tensor) in expected.tensors.enumerated() {
            guard tensor.type.isComputable else {
                #expect(try found.tensors[found.index(tensor.name)].bytes == tensor.bytes)
                continue
            }
            let values = try found.floats(tensor.name)
            let rounded = widened[place].map { type == .f16 ? Double(Float16($0)) : Self.rounded($0, type) }
            #expect(values == rounded, "\(tensor.name)")
        }
        let architecture = try Architecture.resolve(copy)
        #expect(try architecture.allSites == Architecture.resolve(source).allSites)
    }

    private static func rounded(_ value: Double, _ type: ElementType) -> Double {
        guard type == .bf16 else { return value }
        let bits = Float(value).bitPattern
        return Double(Float(bitPattern: (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff_0000))
    }

    /// The page tells of every lock in every type, and of nothing that would be a fault.
    @Test func thePageIsComplete() throws {
        let path = Fixtures.root + "/../../Sources/MergeproofKit/MergeproofKit.docc/Displacement.md"
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let rows = lines.filter { $0.hasPrefix("| f32 |") || $0.hasPrefix("| bf16 |") || $0.hasPrefix("| f16 |") }
            .map { $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) } }
        let (locks, changes) = (rows.filter { $0.count == 10 }, rows.filter { $0.count == 12 })
        // Every method in three types, and three more locks: all sites, and the two ways to turn a stream.
        #expect(locks.count == 3 * (ProtectionMethod.locks.count + 3) && locks.count + changes.count == rows.count)
        // The original, and every method that changes weights.
        let changing = ["mergeguard", "params --prune", "decoy", "mergebarrier --ffn"]
        #expect(changes.count > 3 * changing.count)
        for row in changes where row[10] != "-" {
            #expect(row[10] == "yes" || row[10] == "by weights alone" && row[1].contains("taylor"), "\(row)")
            let seen = try #require(row[9].split(separator: " ").first.flatMap { Double($0) })
            let foretold = try #require(row[8].split(separator: " ").first.flatMap { Double($0) })
            // One key alone.
            #expect(seen < 2 * foretold, "\(row)")
        }
        for type in ["f32", "bf16", "f16"] {
            let names = changes.filter { $0[0] == type }.map { $0[1] }
            #expect(changing.allSatisfy { name in names.contains { $0.hasPrefix(name) } }, "\(type)")
        }
        for row in locks where row[8] != "-" {
            #expect(row[8] == "yes", "\(row)")
            #expect(row[1].hasPrefix("lossless") == (row[9] == "bit for bit"), "\(row)")
            let seen = try #require(row[6].split(separator: " ").first.flatMap { Double($0) })
            let foretold = try #require(row[5].split(separator: " ").first.flatMap { Double($0) })
            #expect(seen < 1.1 * foretold, "\(row)")
        }
    }
}
