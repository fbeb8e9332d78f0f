import Checkpoints
import Foundations

/// Recognises quantised checkpoints, whose stored values are not the weights.
enum Quantization {
    private static let tensorEndings = [
        ".qweight", ".qzeros", ".scales", ".g_idx", ".SCB", ".weight_scale", ".weight_scale_inv", ".input_scale",
        ".absmax", ".quant_map", ".weight_packed", ".weight_format",
    ]

    /// - Returns: a sentence where config.json names a quantisation that the stored weights have not undergone.
    static func note(config: JSONValue, checkpoint: Checkpoint) throws(ArchitectureError) -> String? {
        let settings = config["quantization_config"].flatMap { $0.isNull ? nil : $0 }
        let isWord = { (text: String) in text.utf8.count < 40 && text.utf8.allSatisfy { (0x21...0x7e).contains($0) } }
        let method = settings?["quant_method"]?.string.flatMap { isWord($0) ? $0 : nil } ?? "of unknown method"
        for tensor in checkpoint.tensors.values {
            let isScale = tensorEndings.contains { tensor.name.hasSuffix($0) }
            let type = tensor.type.rawValue
            let isPacked = isScale || type.hasPrefix("F8") || tensor.type.bitWidth < 8
            guard isPacked || settings != nil && ["I8", "U8"].contains(type) else { continue }
            throw .quantized(
                path: checkpoint.path,
                found: (settings == nil ? "" : "quantization_config \(method), ")
                    + "tensor \(tensor.name) of type \(type)")
        }
        guard settings != nil else { return nil }
        return
            "config.json has a quantization_config (\(method)) beside weights that are not quantised; it is copied, and whoever loads by it quantises them"
    }
}
