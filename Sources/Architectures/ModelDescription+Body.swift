extension ModelDescription {
    /// Stacks, heads and further tensors, to be read for a model or, without one, to be checked.
    func fields(
        for subject: Subject?, layerLimit: Int = 1, noting record: DescriptionKeys.Record? = nil
    ) throws(ArchitectureError) -> Fields {
        let scope = Scope(family, vocabulary, subject: subject, layerLimit: layerLimit, noting: record)
        return try Fields(body, scope, place: Place(norm: norm))
    }

    /// Throws unless all that is said in the body is well formed, in every branch and layout, whatever model takes it.
    package func check() throws(ArchitectureError) { try check(noting: nil) }

    func check(noting record: DescriptionKeys.Record?) throws(ArchitectureError) {
        var fields = try fields(for: nil, noting: record)
        let stacks = try fields.stacks()
        _ = try Head(&fields, stacks)
        try fields.claimTensors()
        try fields.claimCopiedLayers()
        try fields.end()
        for layout in layouts { try layout.check(noting: record) }
    }

    var stackCount: Int { body["stacks"]?.object?.members.count ?? 0 }

    /// The stored map of the language head, and the endings of the config's classes that have one.
    func languageHead() throws(ArchitectureError) -> (map: StoredMap, classes: [String])? {
        var fields = try fields(for: nil)
        return try fields.object("language_head", short: "tensor") { f throws(ArchitectureError) in
            let names = try LanguageHead.names(&f)
            f.skip()
            return names
        }
    }

    /// Whether some head reads the last token that is no padding.
    package var readsLastToken: Bool {
        let classifiers = body["classifiers"]?.array ?? []
        return classifiers.contains { $0["pooling"]?.string == Classifier.Pooling.last.rawValue }
    }
}
