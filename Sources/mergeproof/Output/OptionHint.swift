import Alignment
import Checkpoints
import Protections
import Rewriting

/// Which options help where a library's error says what to do: the library knows of none.
enum OptionHint {
    static func named(in error: any Error) -> String? {
        switch error {
        case let error as ProtectionError: options(error)
        case let error as RewritingError: options(error)
        case let error as CheckpointError: options(error)
        case let error as AlignmentError: options(error)
        default: nil
        }
    }

    private static func options(_ error: ProtectionError) -> String? {
        switch error {
        case .changed: "--accept-changes"
        case .invalidCondition: "--condition"
        case .conditionTooLarge: "--condition, --sampler"
        case .noSites: "--layers, --sites"
        case .noResidualSite, .turnedTwice, .notComposed: "--sites"
        case .unlikeBase, .baseIsModel, .noUseOfBase, .needsBase: "--base"
        case .needsInputs, .noUseOfInputs, .tooFewInputs, .inputsNotFinite: "--calibration"
        case .notSolved: "--sites"
        case .parameterOutOfRange(let parameter, _): "--\(parameter.name)"
        case .unknownParameter(_, let parameter, _): "--\(parameter)"
        case .noTurning, .turningRounds: "--residual"
        case .layerOutOfRange: "--layers"
        case .samplerNotApplicable: "--sampler"
        default: nil
        }
    }

    private static func options(_ error: RewritingError) -> String? {
        switch error {
        case .nonFinite: "--allow-nonfinite"
        case .overflow: "--sampler, --condition"
        case .inexactScaling: "--condition"
        case .unlikeExperts: "--sites"
        case .vanishingGain, .costlyBias: "--residual"
        default: nil
        }
    }

    private static func options(_ error: CheckpointError) -> String? {
        switch error {
        case .namedWeights: "--max-shard-size"
        case .refusedFile(_, .pickledModule): "--include"
        default: nil
        }
    }

    private static func options(_ error: AlignmentError) -> String? {
        switch error {
        case .otherShape, .nothingInCommon, .missingTensor: "--base, --with"
        case .noElement: "--method"
        case .noCalibration, .noActivations, .noActivationsAt: "--calibration"
        case .nothingToMerge: "--with"
        case .weightWithoutBase, .weightNotFinite: "--weight"
        case .nonFinite, .overflow: nil
        }
    }
}
