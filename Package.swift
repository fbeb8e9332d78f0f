// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let collections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// One JSON description each in Sources/Architectures/Descriptions.
let families = [
    "albert",
    "arcee",
    "bamba",
    "bart",
    "bert",
    "bloom",
    "clip",
    "clip_text",
    "clip_vision",
    "cohere",
    "cohere2",
    "data2vec_text",
    "deepseek_v2",
    "deepseek_v2_grouped",
    "deepseek_v3",
    "deit",
    "dinov2",
    "distilbert",
    "dots1",
    "electra",
    "ernie4_5",
    "ernie4_5_moe",
    "eurobert",
    "exaone4",
    "falcon",
    "falcon_h1",
    "falcon_multi_head",
    "falcon_new",
    "flex_olmo",
    "gemma",
    "gemma2",
    "gemma3",
    "gemma3_text",
    "gemma3_text_bidirectional",
    "glm",
    "glm4",
    "glm4_moe",
    "gpt2",
    "gpt_bigcode",
    "gpt_bigcode_multi_head",
    "gpt_neo",
    "gpt_neox",
    "gpt_oss",
    "gptj",
    "granite",
    "granitemoe",
    "granitemoehybrid",
    "granitemoeshared",
    "jamba",
    "lfm2",
    "llama",
    "llama4_text",
    "llava",
    "llava_mistral",
    "llava_qwen2",
    "mbart",
    "megatron_bert",
    "minimax_m2",
    "ministral",
    "mistral",
    "mistral3",
    "mixtral",
    "modernbert",
    "mpnet",
    "mt5",
    "nemotron",
    "nemotron_h",
    "nomic_bert",
    "olmo",
    "olmo2",
    "olmo3",
    "olmoe",
    "opt",
    "persimmon",
    "phi",
    "phi3",
    "qwen2",
    "qwen2_5_vl",
    "qwen2_moe",
    "qwen2_vl",
    "qwen3",
    "qwen3_5",
    "qwen3_5_text",
    "qwen3_moe",
    "qwen3_next",
    "qwen3_vl",
    "roberta",
    "roberta_prelayernorm",
    "seed_oss",
    "siglip",
    "siglip_text",
    "siglip_vision",
    "smollm3",
    "stablelm",
    "starcoder2",
    "t5",
    "umt5",
    "vit",
    "vit_msn",
    "whisper",
    "xlm_roberta_xl",
]

let package = Package(
    name: "mergeproof",
    products: [
        .library(name: "MergeproofKit", targets: ["MergeproofKit"]),
        .executable(name: "mergeproof", targets: ["mergeproof"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
    ],
    targets: [
        // Ground: C.
        .systemLibrary(
            name: "CSystemShims", path: "CSystemShims", pkgConfig: "openblas",
            providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
        .target(name: "CKernels"),

        // Rooms, from the ground up: each imports only rooms above it in this list.
        .target(name: "Foundations", dependencies: ["CSystemShims"], swiftSettings: strict),
        .target(
            name: "LinearAlgebra", dependencies: ["CSystemShims", crypto, cryptoExtras],
            swiftSettings: strict),
        .target(
            name: "Checkpoints", dependencies: ["Foundations", "CSystemShims", "CKernels", collections],
            swiftSettings: strict),
        .target(
            name: "Architectures", dependencies: ["Checkpoints", collections],
            resources: [.embedInCode("ConfigTable.json")] + families.map { .embedInCode("Descriptions/\($0).json") },
            swiftSettings: strict),
        .target(
            name: "Symmetries", dependencies: ["LinearAlgebra", "Architectures", collections], swiftSettings: strict),
        .target(
            name: "Protections", dependencies: ["Symmetries", "Checkpoints", "CKernels", crypto],
            swiftSettings: strict),
        .target(
            name: "ForwardPass", dependencies: ["Architectures", "Checkpoints", "LinearAlgebra", "CKernels"],
            swiftSettings: strict),
        .target(
            name: "Verification",
            dependencies: ["Protections", "Symmetries", "ForwardPass", "Checkpoints", "CKernels"],
            swiftSettings: strict),
        .target(name: "Evaluation", dependencies: ["Verification"], swiftSettings: strict),
        .target(name: "MergeproofKit", dependencies: ["Evaluation"], swiftSettings: strict),
        .executableTarget(
            name: "mergeproof", dependencies: ["Evaluation", argumentParser],
            swiftSettings: strict),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["Checkpoints", "Evaluation"], path: "Tests/TestSupport",
            swiftSettings: strict),
        .executableTarget(
            name: "LibraryExample", dependencies: ["MergeproofKit"], path: "Tests/LibraryExample", swiftSettings: strict
        ),
        .testTarget(
            name: "FoundationsTests", dependencies: ["Foundations", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "LinearAlgebraTests", dependencies: ["LinearAlgebra", "CKernels"], swiftSettings: strict),
        .testTarget(
            name: "CheckpointsTests", dependencies: ["Checkpoints", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ArchitecturesTests", dependencies: ["Architectures", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "SymmetriesTests", dependencies: ["Symmetries", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ProtectionsTests", dependencies: ["Protections", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ForwardPassTests", dependencies: ["ForwardPass", "Evaluation", "CKernels", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "VerificationTests", dependencies: ["Verification", "Evaluation", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "EvaluationTests", dependencies: ["Evaluation", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "CommandTests", dependencies: ["mergeproof", "LibraryExample", "Evaluation", "TestSupport"],
            swiftSettings: strict),
    ]
)
