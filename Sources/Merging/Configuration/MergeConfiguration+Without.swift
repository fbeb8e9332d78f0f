extension MergeConfiguration {
    /// The same merge with one model's term subtracted: of `mdm_oc`, `θ₀ + Σ_{j≠i} w_j o_j`, where all o_j are what they were.
    ///
    /// - Throws: `MergeError` for a model that is not merged, or a method whose result is no sum of such terms.
    public func without(_ name: String) throws(MergeError) -> MergeConfiguration {
        guard method.name == MergeMethod.mdmOC.name else { throw .noTerms(method: method.name) }
        let merged = modules.flatMap(\.slices).flatMap { slice in
            slice.sources.map(\.model).filter { $0 != slice.base ?? base }
        }
        guard merged.contains(name) else {
            throw .notMerged(name, known: names.filter(merged.contains))
        }
        let rest = modules.map { module in
            Module(
                module.slices.map { slice in
                    Slice(
                        slice.sources.map { $0.model == name ? $0.unweighted : $0 }, base: slice.base,
                        settings: slice.settings)
                }, named: module.name, settings: module.settings)
        }
        return MergeConfiguration(method, modules: rest, base: base, settings: settings, outputType: outputType)
    }
}

extension MergeConfiguration.Source {
    /// What a source says comes before all else.
    fileprivate var unweighted: Self {
        Self(model, layers: layers, settings: settings.merging(["weight": .value(0)]) { $1 }, evidence: evidence)
    }
}
