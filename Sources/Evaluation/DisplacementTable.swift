import Checkpoints
import ForwardPass
import Protections
import Verification

/// How far a lock moves a model's weights, what rounding the moved weights costs, and what restoring gives back: measured.
package struct DisplacementTable {
    /// One lock of one model, over several keys.
    package struct Row: Sendable, Encodable {
        /// Share of the weights, by their bytes, in tensors that were rewritten.
        package let rewrittenShare: Double
        /// ‖W' - W‖ / ‖W‖ over all floating weights, and over those of tensors that differ: the mean over the keys.
        package let displacement, movedDisplacement: Double
        /// What rounding was foretold to cost, in multiples of rounding the original, and the root mean square of the outputs' drift over
        /// that of the rounding floor.
        package let predictedRounding, rounding: Double
        /// The largest ‖b - a‖ / ‖a‖ of the outputs; nil where a part of the model is not understood.
        package let outputs: Double?
        /// Every tensor came back to the bit, and else the largest relative error, in norm, of a tensor.
        package let isRestoredBitForBit: Bool
        package let restorationError: Double
        /// Both proofs held for every key.
        package let isSameFunction: Bool
        /// Powers of two would have lost bits in some weight and were left out.
        package let scalesWereDropped: Bool

        enum CodingKeys: String, CodingKey {
            case rewrittenShare = "rewritten_share"
            case displacement
            case movedDisplacement = "displacement_of_moved"
            case predictedRounding = "predicted_rounding_multiple"
            case rounding = "rounding_multiple"
            case outputs = "largest_output_change"
            case isRestoredBitForBit = "restored_bit_for_bit"
            case restorationError = "restoration_error"
            case isSameFunction = "same_function"
            case scalesWereDropped = "powers_of_two_dropped"
        }
    }

    private let scratch: String
    private let keys: Int
    private let threads: Int?

    /// - Parameters:
    ///   - scratch: a path; copies are made at it and beside it, one at a time, by `replacing`.
    ///   - keys: with how many each lock is drawn.
    package init(scratch: String, keys: Int, threads: Int?) {
        (self.scratch, self.keys, self.threads) = (scratch, keys, threads)
    }

    /// - Parameters:
    ///   - inputs: what both models are evaluated on; random ones when nil.
    ///   - replacing: removes what lies at a path.
    /// - Throws: `ProtectionError` where the lock does not fit the model.
    package func row(
        _ source: Checkpoint, _ options: ProtectionOptions, inputs: ModelInputs?, replacing: (String) throws -> Void
    ) throws -> Row {
        let (locked, restored) = (scratch + "-locked", scratch + "-restored")
        var options = options
        (options.nonce, options.threads) = (.zero, threads)
        var (all, moved, share, predicted) = (0.0, 0.0, 0.0, 1.0)
        var (drift, floor, outputs, error) = (0.0, 0.0, Double?.none, 0.0)
        var (isBitForBit, isSame, dropsScales) = (true, true, false)
        for number in 0..<keys {
            for path in [locked, restored] { try replacing(path) }
            let key = SecretKey(bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 32))
            let report = try Protector().protect(source, to: locked, key: key, options: options)
            share = Double(report.rewrittenBytes) / Double(max(report.tensorBytes, 1))
            predicted = max(predicted, report.manifest.roundingMultiple)
            dropsScales = dropsScales || report.scalesWereDropped
            let copy = try Checkpoint(opening: locked)
            let pair = try ModelPair(source, copy, threads: threads)
            let weights = try AlgebraicVerification(threads: threads).verify(pair)
            all += weights.displacement / Double(keys)
            moved += weights.movedDisplacement / Double(keys)
            isSame = isSame && weights.holds
            if weights.opaqueParts.isEmpty {
                let found = try FunctionalVerification(threads: threads, precision: .f64, seed: UInt64(number + 1))
                    .verify(pair, inputs: inputs)
                outputs = max(outputs ?? 0, found.drift.relativeError)
                drift += found.drift.relativeError * found.drift.relativeError
                floor += found.floor.relativeError * found.floor.relativeError
                isSame = isSame && found.holds
            }
            _ = try Protector().restore(copy, to: restored, key: key, threads: threads)
            let back = try Restoration(original: source, restored: Checkpoint(opening: restored))
            isBitForBit = isBitForBit && back.isIdentical
            error = max(error, back.largestError)
        }
        for path in [locked, restored] { try replacing(path) }
        return Row(
            rewrittenShare: share, displacement: all, movedDisplacement: moved, predictedRounding: predicted,
            rounding: floor > 0 ? (drift / floor).squareRoot() : 0, outputs: outputs, isRestoredBitForBit: isBitForBit,
            restorationError: error, isSameFunction: isSame, scalesWereDropped: dropsScales)
    }
}
