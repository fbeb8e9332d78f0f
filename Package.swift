// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "CryptoExtras", package: "swift-crypto")
let collections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

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
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Ground: C.
        .systemLibrary(
            name: "CSystemShims", path: "CSystemShims", pkgConfig: "openblas",
            providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]),
        .target(name: "CKernels"),

        // Files of text as a Swift source.
        .executableTarget(name: "embed-texts", path: "Plugins/embed-texts", swiftSettings: strict),
        .plugin(name: "EmbedTexts", capability: .buildTool(), dependencies: ["embed-texts"]),

        // Rooms, from the ground up: each imports only rooms above it in this list.
        .target(name: "Foundations", dependencies: ["CSystemShims", yams], swiftSettings: strict),
        .target(
            name: "LinearAlgebra", dependencies: ["CSystemShims", "CKernels", crypto, cryptoExtras],
            swiftSettings: strict),
        .target(
            name: "Checkpoints", dependencies: ["Foundations", "CSystemShims", "CKernels", collections],
            swiftSettings: strict),
        .target(
            name: "Architectures", dependencies: ["Checkpoints", collections],
            exclude: ["ConfigTable.json", "Descriptions"],
            swiftSettings: strict, plugins: ["EmbedTexts"]),
        .target(
            name: "Symmetries", dependencies: ["LinearAlgebra", "Architectures", collections], swiftSettings: strict),
        .target(
            name: "Rewriting", dependencies: ["Symmetries", "Checkpoints", "CKernels"], swiftSettings: strict),
        .target(
            name: "ForwardPass", dependencies: ["Architectures", "Checkpoints", "LinearAlgebra", "CKernels"],
            swiftSettings: strict),
        .target(
            name: "Protections",
            dependencies: ["Rewriting", "Symmetries", "ForwardPass", "Checkpoints", "CKernels", crypto],
            exclude: ["Polynomials/modeling_mergebarrier.py"], swiftSettings: strict, plugins: ["EmbedTexts"]),
        .target(
            name: "Merging",
            dependencies: ["LinearAlgebra", "Architectures", "Checkpoints", "ForwardPass", "CKernels", collections],
            swiftSettings: strict),
        .target(
            name: "Alignment", dependencies: ["Rewriting", "Symmetries", "ForwardPass", "Checkpoints"],
            swiftSettings: strict),
        .target(
            name: "Verification",
            dependencies: ["Protections", "Symmetries", "ForwardPass", "Checkpoints", "CKernels"],
            swiftSettings: strict),
        .target(name: "Evaluation", dependencies: ["Verification", "Rewriting", crypto], swiftSettings: strict),
        .target(
            name: "Auditing", dependencies: ["Evaluation", "Merging", "Alignment"], exclude: ["Report/report.css"],
            swiftSettings: strict, plugins: ["EmbedTexts"]),
        .target(name: "MergeproofKit", dependencies: ["Auditing"], swiftSettings: strict),
        .executableTarget(name: "mergeproof", dependencies: ["Auditing", argumentParser], swiftSettings: strict),

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
            name: "ProtectionsTests", dependencies: ["Protections", "Rewriting", "CKernels", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "MergingTests", dependencies: ["Merging", "ForwardPass", "CKernels", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "AlignmentTests", dependencies: ["Alignment", "Protections", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "ForwardPassTests", dependencies: ["ForwardPass", "Evaluation", "CKernels", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "VerificationTests", dependencies: ["Verification", "Evaluation", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "EvaluationTests", dependencies: ["Evaluation", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "AuditingTests", dependencies: ["Auditing", "TestSupport"], swiftSettings: strict),
        .testTarget(
            name: "CommandTests", dependencies: ["mergeproof", "LibraryExample", "Evaluation", "TestSupport"],
            swiftSettings: strict),
    ]
)
