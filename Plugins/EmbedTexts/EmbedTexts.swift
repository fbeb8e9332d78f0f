import Foundation
import PackagePlugin

/// Makes one Swift source of all JSON, Python and CSS files in a target's folder, so that a new file there is all that a new family takes.
@main struct EmbedTexts: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
        let folder = target.directoryURL
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
        // Not what editors and file systems leave beside them.
        let names = paths.filter { path in
            let isText = [".json", ".py", ".css"].contains(where: path.hasSuffix)
            return isText && !path.split(separator: "/").contains { $0.hasPrefix(".") }
        }
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedTexts.swift")
        return [
            .buildCommand(
                displayName: "Embedding \(names.count) files of \(target.name)",
                executable: try context.tool(named: "embed-texts").url,
                arguments: [output.path, folder.path] + names.sorted(),
                inputFiles: names.map { folder.appending(path: $0) }, outputFiles: [output])
        ]
    }
}
