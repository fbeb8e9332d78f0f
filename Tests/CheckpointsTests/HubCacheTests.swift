import Checkpoints
import TestSupport
import Testing

/// `org/name` in the cache of Hugging Face's tools.
@Suite struct HubCacheTests {
    private let home: TemporaryDirectory
    private let commit = String(repeating: "0123456789", count: 4)

    init() throws { home = try TemporaryDirectory() }

    /// As huggingface_hub lays it out: files are links into `blobs`.
    private func download(_ name: String, in cache: String, reference: String? = nil) throws -> String {
        let folder = cache + "/models--" + name.replacing("/", with: "--")
        for path in [cache, folder, folder + "/refs", folder + "/blobs", folder + "/snapshots"] {
            if !Files.exists(path) { try Files.makeDirectory(path) }
        }
        let snapshot = folder + "/snapshots/" + commit
        try Files.makeDirectory(snapshot)
        try ModelBuilder.single(in: folder + "/blobs")
        for file in ["model.safetensors", "config.json"] {
            try Files.link(snapshot + "/" + file, to: "../../blobs/" + file)
        }
        try Files.write(reference ?? commit, to: folder + "/refs/main")
        return snapshot
    }

    private func resolve(_ model: String, _ variables: [String: String]) throws -> String {
        try HubCache.resolve(model, environment: { variables[$0] })
    }

    @Test func theCacheIsWhereTheHubsToolsHaveIt() throws {
        for folder in [".cache", ".cache/huggingface", "x", "x/huggingface"] { try Files.makeDirectory(home(folder)) }
        for (cache, variables) in [
            ("a", ["HF_HUB_CACHE": home("a"), "HF_HOME": home("x"), "HOME": home.path]),
            ("b", ["HUGGINGFACE_HUB_CACHE": home("b"), "HF_HUB_CACHE": ""]), ("x/hub", ["HF_HOME": home("x")]),
            ("x/huggingface/hub", ["XDG_CACHE_HOME": home("x"), "HOME": home.path]),
            (".cache/huggingface/hub", ["HOME": home.path]),
            ("c", ["HF_HUB_CACHE": "~/c", "HOME": home.path]),
        ] {
            let snapshot = try download("org/name-1.5_B", in: home(cache))
            #expect(try resolve("org/name-1.5_B", variables) == snapshot)
            #expect(try Checkpoint(opening: snapshot).tensors.count == 6)
        }
    }

    @Test func oldModelsHaveNoOrganisation() throws {
        let snapshot = try download("gpt2", in: home("c"), reference: commit + "\n")
        #expect(try resolve("gpt2", ["HF_HUB_CACHE": home("c")]) == snapshot)
        #expect(try resolve("gpt3", ["HF_HUB_CACHE": home("c")]) == "gpt3")
    }

    @Test func pathsThatAreThereComeFirst() throws {
        #expect(try resolve("/", ["HF_HUB_CACHE": home("c")]) == "/")
        for path in [
            home("none"), "./a/b", "a/b/c", "../a", "a/..", "-a/b", "a--b/c", "a b/c", "a\u{1b}/c", ".", "a/", "/a",
        ] {
            #expect(try resolve(path, ["HF_HUB_CACHE": home("c")]) == path)
        }
    }

    @Test(arguments: [nil, "", "../../..", "main", "0123", "0123456789 0123456789"])
    func whatIsNotDownloadedIsSaid(reference: String?) throws {
        if let reference { _ = try download("org/name", in: home("c"), reference: reference) }
        let expected = CheckpointError.notInCache(model: "org/name", cache: home("c"))
        #expect(throws: expected) { try resolve("org/name", ["HF_HUB_CACHE": home("c")]) }
        #expect(expected.description.contains("hf download org/name"))
    }
}
