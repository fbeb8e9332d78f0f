import Glibc

// embed-texts OUTPUT FOLDER FILE...: a Swift source with the texts of a folder's files as literals, which compile fast.

func text(of path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { bytes += buffer[..<count] }
    return String(validating: bytes, as: UTF8.self)
}

func fail(_ message: String) -> Never {
    print("error: \(message)")
    exit(1)
}

let arguments = CommandLine.arguments.dropFirst()
guard arguments.count >= 2 else { fail("embed-texts takes an output, a folder and the names of files in it") }
let (output, folder) = (arguments[1], arguments[2])
var source = "enum EmbeddedTexts {\n    static let byPath: [String: StaticString] = [\n"
/// What ends a literal and begins an escape in it, which no text has.
let fence = "####"
for name in arguments.dropFirst(2) {
    let bounds = ["\r", "\"\"\"" + fence, "\\" + fence].map(\.utf8)
    guard let text = text(of: folder + "/" + name), !bounds.contains(where: text.utf8.contains) else {
        fail("\(folder)/\(name) is no UTF-8 text with plain line ends")
    }
    source += "\"\(name)\": \(fence)\"\"\"\n\(text)\n\"\"\"\(fence),\n"
}
source += "    ]\n}\n"
// What is as it was is left alone, so that nothing is compiled anew.
if text(of: output) == source { exit(0) }
guard let file = fopen(output, "w") else { fail("\(output) cannot be written") }
let bytes = Array(source.utf8)
guard fwrite(bytes, 1, bytes.count, file) == bytes.count, fclose(file) == 0 else { fail("\(output) cannot be written") }
