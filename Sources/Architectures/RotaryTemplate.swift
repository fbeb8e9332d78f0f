import Checkpoints
import Foundations

package struct RotaryTemplate: Sendable {
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

    init(_ fields: inout Fields) throws(ArchitectureError) {
        layout = try fields.choice("layout")
        dimensions = try fields.expression("dimensions", default: "head_dim")
        fraction = try fields.number("fraction")
        fractionOf = try fields.expression("fraction_of", default: dimensions.text)
        offset = try fields.expression("offset", default: "0")
        thetaKeys = try fields.optionalStrings("theta_keys") ?? ["rope_theta"]
        thetaChecks = try fields.optionalStrings("theta_checks") ?? []
        theta = try fields.double("theta", default: 10000)
        section = try fields.optionalString("section")
        scaling = try fields.strings("scaling")
        readsScaling = try fields.bool("reads_scaling", default: true)
        settings = fields.take("settings")
        guard settings == nil || settings?.object != nil else { throw fields.fault("settings") }
        scalesScores = try fields.bool("scales_scores", default: false)
        trained = fields.has("trained") ? try fields.double("trained", default: 0) : nil
        axes = try fields.int("axes", default: 1)
        restarts = try fields.bool("restarts", default: false)
    }
}
