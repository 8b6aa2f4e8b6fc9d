// Binary glTF, as src/io/gltf.c writes it: one primitive of triangles.

const COMPONENTS = {5123: Uint16Array, 5125: Uint32Array, 5126: Float32Array};
const WIDTHS = {SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4};

// {positions, normals, colours, uvs, indices, image, isUnlit}: typed arrays, and a Blob; null for
// what is not there. Null for a file without triangles.
function parseGlb(bytes) {
    const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (header.getUint32(0, true) !== 0x46546c67)
        throw new Error("The mesh is no binary glTF file");
    const length = header.getUint32(12, true);
    const tree = JSON.parse(new TextDecoder().decode(bytes.subarray(20, 20 + length)));
    const binary = bytes.subarray(28 + length);
    const primitive = tree.meshes && tree.meshes[0].primitives[0];
    if (!primitive)
        return null;

    const slice = (view) => binary.slice(view.byteOffset, view.byteOffset + view.byteLength);
    const array = (index) => {
        if (index === undefined)
            return null;
        const accessor = tree.accessors[index];
        const data = slice(tree.bufferViews[accessor.bufferView]);
        return new COMPONENTS[accessor.componentType](
            data.buffer, 0, accessor.count * WIDTHS[accessor.type]);
    };
    const image = tree.images && tree.images[0];
    const named = primitive.attributes;
    return {
        positions: array(named.POSITION),
        normals: array(named.NORMAL),
        colours: array(named.COLOR_0),
        uvs: array(named.TEXCOORD_0),
        indices: array(primitive.indices),
        image: image ? new Blob([slice(tree.bufferViews[image.bufferView])],
                                {type: image.mimeType}) : null,
        isUnlit: (tree.extensionsUsed || []).includes("KHR_materials_unlit"),
    };
}
