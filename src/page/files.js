// The files in the page: <script type="text/plain" id="glb" data-name="duck.glb"> of base64.

const TYPES = {glb: "model/gltf-binary", spz: "application/octet-stream"};

// In parts, so that no string of all bytes is made on the way.
function decodeBase64(text) {
    const PART = 1 << 16; // a multiple of 4
    const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
    const bytes = new Uint8Array(text.length / 4 * 3 - padding);
    for (let at = 0, to = 0; at < text.length; at += PART) {
        const part = atob(text.slice(at, at + PART));
        for (let i = 0; i < part.length; i++)
            bytes[to++] = part.charCodeAt(i);
    }
    return bytes;
}

// {name, bytes}, or null if the page has no such file.
function embeddedFile(kind) {
    const element = document.getElementById(kind);
    return element && {
        name: element.dataset.name,
        bytes: decodeBase64(element.textContent.trim()),
    };
}

function formatBytes(count) {
    const units = ["B", "kB", "MB", "GB"];
    let unit = 0;
    for (; count >= 999.5 && unit < 3; unit++)
        count /= 1000;
    return `${unit && count < 99.5 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

function addDownload(kind, file) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${kind.toUpperCase()} ${formatBytes(file.bytes.length)}`;
    button.title = `Save ${file.name}`;
    button.addEventListener("click", () => {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([file.bytes], {type: TYPES[kind]}));
        link.download = file.name;
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60000); // ms
    });
    document.getElementById("downloads").append(button);
}
