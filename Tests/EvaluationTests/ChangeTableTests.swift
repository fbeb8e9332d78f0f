import Checkpoints
import Evaluation
import ForwardPass
import Foundation
import Protections
import TestSupport
import Testing

/// What changed weights cost: measured as it is defined, and held against the change alone.
@Suite struct ChangeTableTests {
    private static let key = SecretKey(bytes: [UInt8](repeating: 7, count: 32))

    private let folder: TemporaryDirectory
    private let base: Checkpoint
    private let own: Checkpoint

    init() throws {
        folder = try TemporaryDirectory()
        (own, base) = try EditableModel.withBase("llama", .f32, in: folder)
    }

    private var examples: [ModelEvaluation.Example] {
        [[1, 5, 9, 3, 7, 2], [4, 4, 8, 6]].map { ModelEvaluation.Example(inputs: ModelInputs(tokens: [$0])) }
    }

    private func table() throws -> ChangeTable {
        try ChangeTable(of: own, on: examples, scratch: folder("m"), threads: 1)
    }

    private func options(_ methods: ProtectionMethod...) -> ProtectionOptions {
        var options = ProtectionOptions(
            StepOptions(method: methods[0]), then: methods.dropFirst().map(StepOptions.init(method:)))
        (options.base, options.nonce, options.writesCard) = (base, .zero, false)
        return options
    }

    /// Against the definitions, with the masked copy made apart.
    @Test func aChangeAloneIsMeasuredByItself() throws {
        let row = try table().row(options(.mergeguard)) { Files.remove($0) }
        _ = try Protector.unsynchronized.protect(own, to: folder("g"), key: Self.key, options: options(.mergeguard))
        let (a, b) = (try EditableModel(reading: own.path), try EditableModel(reading: folder("g")))
        var (difference, size, movedSize, moved) = (0.0, 0.0, 0.0, 0)
        for (place, tensor) in a.tensors.enumerated() {
            let (x, y) = (try a.floats(tensor.name), try b.floats(tensor.name))
            let square = x.reduce(0) { $0 + $1 * $1 }
            difference += zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
            size += square
            guard tensor.bytes != b.tensors[place].bytes else { continue }
            movedSize += square
            moved += tensor.bytes.count
        }
        #expect((row.displacement - (difference / size).squareRoot()).magnitude < 1e-9)
        #expect((row.movedDisplacement - (difference / movedSize).squareRoot()).magnitude < 1e-9)
        #expect(row.movedShare == Double(moved) / Double(own.tensorBytes) && row.movedShare < 1)
        let copy = try Checkpoint(opening: folder("g"))
        let scores = try ModelEvaluation(model: Model(copy)).scores(examples)
        let table = try table()
        #expect(row.accuracy == scores.accuracy && row.loss == scores.loss && row.loss != table.loss)
        #expect(table.loss == (try ModelEvaluation(model: Model(own)).evaluate(examples, .loss).value))
        #expect(row.lock == nil && row.outputs > 1e-4)
        #expect(!Files.names(in: folder.path).contains { $0.hasPrefix("m-") })
    }

    /// A lock keeps what the change leaves, and moves weights further.
    @Test func locksAreHeldAgainstWhatTheyActOn() throws {
        let alone = try table().row(options(.mergeguard)) { Files.remove($0) }
        let exact = try table().row(options(.mergeguard, .lossless)) { Files.remove($0) }
        let lock = try #require(exact.lock)
        #expect(lock.holdsByWeights && lock.holdsByOutputs && lock.isRestoredBitForBit && lock.rounding < 1e-6)
        #expect(exact.displacement > 2 * alone.displacement && (exact.outputs - alone.outputs).magnitude < 1e-4)
        let dense = try #require(try table().row(options(.mergeguard, .mergelock)) { Files.remove($0) }.lock)
        #expect(
            dense.holdsByWeights && dense.holdsByOutputs && !dense.isRestoredBitForBit && dense.restorationError < 1e-6)
        #expect(dense.rounding > 0.3 && dense.rounding < 2)
    }

    /// A copy of weights that are made when they are asked for holds those, and not the stored ones.
    @Test func madeWeightsAreWrittenAsTheyAreMade() throws {
        _ = try Protector.unsynchronized.protect(own, to: folder("g"), key: Self.key, options: options(.mergeguard)) {
            try CheckpointWriter().write(.keepingShards(of: $0), to: folder("made"))
        }
        let (written, made) = (try EditableModel(reading: folder("g")), try EditableModel(reading: folder("made")))
        #expect(written.tensors.map(\.bytes) == made.tensors.map(\.bytes))
        #expect(try EditableModel(reading: own.path).tensors.map(\.bytes) != made.tensors.map(\.bytes))
    }
}
