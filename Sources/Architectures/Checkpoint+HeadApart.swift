import Checkpoints
import Foundations

extension Checkpoint {
    /// The same model with its head stored apart: the table of tokens once more under the head's own name, and a config.json that says so.
    ///
    /// Nil where the head is not the table of tokens, or can't be told apart from it, or where the table is not as a file holds it.
    package var withHeadApart: Checkpoint? {
        guard case .language(let head)? = try? Architecture.resolve(self).head, let name = head.ownName,
            tensors[name] == nil, let table = tensors[head.head.weight],
            let tensor = Restatement.Tensor(stored: table, named: name, in: self),
            let config = config?.withHeadApart
        else { return nil }
        return Checkpoint(self, restatedAs: Restatement(config: config, tensors: [tensor], files: []))
    }

    /// The same, stated like others of its architecture: with its head apart where one of these stores its own so, for what goes tensor by tensor.
    package func withHead(like others: some Sequence<Checkpoint>) -> Checkpoint {
        guard let apart = withHeadApart, let type = try? Architecture.resolve(self).modelType else { return self }
        let added = apart.tensors.keys.filter { tensors[$0] == nil }
        let isStored = others.contains { other in
            added.contains { other.tensors[$0] != nil } && (try? Architecture.resolve(other).modelType) == type
        }
        return isStored ? apart : self
    }
}

extension JSONDocument {
    /// Of a config.json that says that the head and the table of tokens are one.
    package static let tieKey = "tie_word_embeddings"

    /// A config.json that says that the two are not one; nil where this is no object.
    package var withHeadApart: JSONDocument? {
        guard var object = root.object else { return nil }
        object[Self.tieKey] = .bool(false)
        let bytes = Array((JSONValue.object(object).serialized(indented: true) + "\n").utf8)
        return try? JSONDocument(parsing: bytes, as: .lenient)
    }
}
