import Foundation
import Merging
import TestSupport
import Testing

/// The page tells of every method what the method says of itself.
@Suite struct MergingPageTests {
    @Test(arguments: MergeMethod.all.map(\.name))
    func methodsAreListed(name: String) throws {
        let method = try #require(MergeMethod.all.first { $0.name == name })
        let path = Fixtures.root + "/../../Sources/MergeproofKit/MergeproofKit.docc/Merging.md"
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
        let row = "| \(Self.cells(method).joined(separator: " | ")) |"
        #expect(lines.contains(row), "\(row)")
    }

    private static func cells(_ method: MergeMethod) -> [String] {
        let parameters = method.parameters.map { parameter in
            let standard = parameter.standard.map { value in
                parameter.kind == .flag
                    ? value == 1 ? " true" : " false"
                    : " " + (value == value.rounded() ? "\(Int(value))" : "\(value)")
            }
            return "`\(parameter.name)`\(parameter.scope == .model ? "*" : "")\(standard ?? "")"
        }
        let name = method.reference.map { "[`\(method.name)`](https://arxiv.org/abs/\($0))" } ?? "`\(method.name)`"
        let base =
            switch method.base {
            case .ignored: "like others"
            case .optional: "may be"
            case .required: "needed"
            }
        return [name, base, parameters.isEmpty ? "none" : parameters.joined(separator: ", "), method.summary]
    }
}
