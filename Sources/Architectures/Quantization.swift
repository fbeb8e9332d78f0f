import Checkpoints

/// Recognises quantised checkpoints, whose stored values are not the weights.
enum Quantization {
    private static let tensorEndings = [
        ".qweight", ".qzeros", ".scales", ".g_idx", ".SCB", ".weight_scale", ".weight_scale_inv", ".input_scale",
        ".absmax", ".quant_map", ".weight_packed", ".weight_format",
    ]

    static func refuse(config: JSONValue, checkpoint: Checkpoint) throws(ArchitectureError) {
        if let settings = config["quantization_config"], !settings.isNull {
            let method = settings["quant_method"]?.string ?? "unknown method"
            throw .quantized(path: checkpoint.path, found: "quantization_config with \(method)")
        }
        for tensor in checkpoint.tensors.values {
            let isScale = tensorEndings.contains { tensor.name.hasSuffix($0) }
            guard isScale || tensor.type.rawValue.hasPrefix("F8") || tensor.type.bitWidth < 8 else { continue }
            throw .quantized(path: checkpoint.path, found: "tensor \(tensor.name) of type \(tensor.type.rawValue)")
        }
    }
}
