import Checkpoints
import Foundations

package struct RotaryKind: Sendable {
    let layout: ChannelLayout
    let dimensions: DimensionExpression
    /// The share of `fractionOf` that is rotated.
    let fraction: NumberReference?
    /// `dimensions` unless said otherwise; where it is, those hold where the config states no share.
    let fractionOf: DimensionExpression
    let offset: DimensionExpression
    package let thetaKeys: [String]
    package let theta: Double
    /// Keys that transformers does not read here, and that must say the same where they are there.
    let thetaChecks: [String]
    /// The member of `rope_parameters` that holds for these layers, where that has one per kind of layer.
    let section: String?
    let scaling: [String]
    /// Whether version 4's `rope_scaling` concerns these layers.
    let readsScaling: Bool
    /// What stands for the config's settings where it has none.
    let settings: JSONValue?
    /// Whether scores are multiplied by (0.1·mscale_all_dim·ln(factor) + 1)² where the settings say so (DeepSeek-V3).
    let scalesScores: Bool
    /// `original_max_position_embeddings` where the config has none beside its settings; nil where there is no such default.
    let trained: Double?
    /// Axes along which tokens have positions.
    let axes: Int
    /// Whether generating starts anew with the long factors where a sequence outgrows what the short ones were trained for (Phi-3).
    let restarts: Bool

    init(_: String, _ f: inout Fields) throws(ArchitectureError) {
        layout = try f.word("layout")
        dimensions = try f.expression("dimensions", default: "head_dim")
        fraction = try f.reference("fraction")
        fractionOf = try f.expression("fraction_of", default: dimensions.text)
        offset = try f.expression("offset", default: "0")
        thetaKeys = try f.optionalStrings("theta_keys") ?? ["rope_theta"]
        thetaChecks = try f.optionalStrings("theta_checks") ?? []
        theta = try f.double("theta") ?? 10000
        section = try f.optionalString("section")
        scaling = try f.strings("scaling")
        readsScaling = try f.bool("reads_scaling", default: true)
        settings = f.take("settings")
        guard settings == nil || settings?.object != nil else { throw f.fault("settings") }
        scalesScores = try f.bool("scales_scores", default: false)
        trained = try f.double("trained")
        axes = try f.int("axes") ?? 1
        restarts = try f.bool("restarts", default: false)
    }
}
