import Checkpoints
import ForwardPass
import Protections
import Verification

/// What methods that change weights do to a model and what that costs, and whether the locks on top keep what the change left: measured.
package struct ChangeTable {
    /// One method's figures.
    package struct Row: Sendable, Encodable {
        /// How far the protected weights lie from the original's.
        package let displacement, movedDisplacement: Double
        /// Share of the original's weights, by their bytes, in tensors that differ.
        package let movedShare: Double
        /// ‖y' - y‖ / ‖y‖ over all outputs, in f32.
        package let outputs: Double
        package let accuracy, loss: Double
        /// Nil where no element acts.
        package let lock: Lock?

        enum CodingKeys: String, CodingKey {
            case displacement
            case movedDisplacement = "displacement_of_moved"
            case movedShare = "moved_share"
            case outputs = "output_change"
            case accuracy, loss, lock
        }
    }

    /// A lock held against the changed weights that it acted on.
    package struct Lock: Sendable, Encodable {
        /// In multiples of rounding the changed weights once more.
        package let predictedRounding, rounding: Double
        package let holdsByWeights, holdsByOutputs: Bool
        /// What restoring gives is what the change left, to the bit, and else the largest relative error of a tensor.
        package let isRestoredBitForBit: Bool
        package let restorationError: Double

        enum CodingKeys: String, CodingKey {
            case predictedRounding = "predicted_rounding_multiple"
            case rounding = "rounding_multiple"
            case holdsByWeights = "same_function_by_weights"
            case holdsByOutputs = "same_function_by_outputs"
            case isRestoredBitForBit = "restored_bit_for_bit"
            case restorationError = "restoration_error"
        }
    }

    /// On how many examples outputs are proved to be the same, in f64.
    private static let proofs = 64

    /// Of the original.
    package let accuracy, loss: Double
    private let source: Checkpoint
    private let examples: [ModelEvaluation.Example]
    private let scratch: String
    private let threads: Int?

    /// - Parameters:
    ///   - examples: what both models are scored on.
    ///   - scratch: a path; copies are made beside it, of one method at a time, and removed by `row`'s caller.
    package init(
        of source: Checkpoint, on examples: [ModelEvaluation.Example], scratch: String, threads: Int?
    ) throws {
        (self.source, self.examples, self.scratch, self.threads) = (source, examples, scratch, threads)
        let scores = try ModelEvaluation(model: Model(source, threads: threads)).scores(examples)
        (accuracy, loss) = (scores.accuracy, scores.loss)
    }

    /// - Parameter removing: removes what lies at a path.
    /// - Throws: `ProtectionError` where the method does not fit the model.
    package func row(_ options: ProtectionOptions, removing: (String) throws -> Void) throws -> Row {
        let paths = (changed: scratch + "-changed", locked: scratch + "-locked", restored: scratch + "-restored")
        let all = [paths.changed, paths.locked, paths.restored]
        for path in all { try removing(path) }
        var options = options
        (options.nonce, options.threads) = (.zero, threads)
        let key = SecretKey(bytes: [UInt8](repeating: 0, count: 32))
        let report = try Protector().protect(source, to: paths.locked, key: key, options: options) { changed in
            try removing(paths.changed)
            try CheckpointWriter().write(.keepingShards(of: changed), to: paths.changed)
        }
        let locked = try Checkpoint(opening: paths.locked)
        let displacement = try Displacement(from: source, to: locked, threads: threads)
        let (before, after) = (try Model(source, threads: threads), try Model(locked, threads: threads))
        let scores = try ModelEvaluation(model: after).scores(examples)
        let lock =
            report.sites > 0
            ? try lock(locked, on: Checkpoint(opening: paths.changed), report, key, restoringTo: paths.restored) : nil
        let outputs = try RelativeDistance(from: before, to: after, on: examples.map(\.inputs)).value
        for path in all { try removing(path) }
        return Row(
            displacement: displacement.all, movedDisplacement: displacement.ofMoved,
            movedShare: displacement.movedShare, outputs: outputs, accuracy: scores.accuracy, loss: scores.loss,
            lock: lock)
    }

    private func lock(
        _ locked: Checkpoint, on changed: Checkpoint, _ report: Protector.Report, _ key: SecretKey,
        restoringTo path: String
    ) throws -> Lock {
        let pair = try ModelPair(changed, locked, threads: threads)
        let weights = try AlgebraicVerification(threads: threads).verify(pair)
        let inputs = ModelInputs(joining: examples.prefix(Self.proofs).map(\.inputs))
        let found = try FunctionalVerification(threads: threads, precision: .f64, seed: 1).verify(pair, inputs: inputs)
        _ = try Protector().restore(locked, to: path, key: key, threads: threads)
        let back = try Restoration(original: changed, restored: Checkpoint(opening: path))
        let floor = found.floor.relativeError
        return Lock(
            predictedRounding: max(1, report.manifest.roundingMultiple),
            rounding: floor > 0 ? found.drift.relativeError / floor : 0, holdsByWeights: weights.holds,
            holdsByOutputs: found.holds, isRestoredBitForBit: back.isIdentical, restorationError: back.largestError)
    }
}
