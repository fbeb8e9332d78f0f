/// A tensor's name around the number of its layer: `model.layers.` 3 `.mlp.up_proj.weight`.
struct LayerName: Hashable {
    let prefix, suffix: String
    let layer: Int

    /// Nil where no part of the name is a number; the first that is counts, as experts and modules are counted inside of layers.
    init?(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let place = parts.firstIndex(where: { !$0.isEmpty && $0.utf8.allSatisfy { (48...57).contains($0) } }),
            let layer = Int(parts[place])
        else { return nil }
        self.layer = layer
        prefix = parts[..<place].map { $0 + "." }.joined()
        suffix = parts[(place + 1)...].map { "." + $0 }.joined()
    }

    /// The same tensor of another layer.
    func at(_ layer: Int) -> String { "\(prefix)\(layer)\(suffix)" }
}
