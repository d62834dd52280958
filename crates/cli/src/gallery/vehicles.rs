//! Vehicles for people and goods, on land, on water and above.

use super::Drawing;

pub(super) const VEHICLES: &[Drawing] = &[
    Drawing {
        label: "sailing ship",
        shapes: r"<use href='#ocean'/>
<path d='M22 128h156c-6 22-16 34-26 38H50c-14-6-24-20-28-38z' fill='#6b3e1f'/><path d='M22 128h156l-3 9H24z' fill='#d8b06a'/><path d='M30 148h140' stroke='#4a2912' stroke-width='3'/>
<path d='M58 128V34M100 128V16M142 128V38M178 130l20-18' stroke='#4a2e18' stroke-width='4'/>
<path d='M40 44h36q8 16 2 30h-38q6-16 0-30zM38 80h40q8 18 2 36h-42q6-18 0-36zM80 26h40q9 18 2 36h-43q7-18 1-36zM77 68h46q9 20 2 42h-49q8-20 1-42zM124 48h36q8 16 2 28h-39q7-14 1-28zM122 82h40q8 16 2 34h-42q6-18 0-34z' fill='#fbf7ea' stroke='#cfc4a6' stroke-width='1.5'/>
<path d='M164 76l32 36l-32 6z' fill='#f0e8d2'/><path d='M100 16l18 5l-18 6zM58 34l14 4l-14 5z' fill='#cc2f2f'/>
<path d='M0 168c20-8 34-8 50 0s34 8 50 0s34-8 50 0s34 8 50 0v32H0z' fill='#1a5c8c'/><path d='M0 168c20-8 34-8 50 0s34 8 50 0s34-8 50 0s34 8 50 0' stroke='#cfe9f5' stroke-width='3' fill='none'/>",
    },
    Drawing {
        label: "car",
        shapes: r"<use href='#meadow'/><rect y='140' width='200' height='60' fill='#585d63'/><path d='M8 178h36M66 178h36M124 178h36M182 178h18' stroke='#f2f2e6' stroke-width='4'/>
<ellipse cx='100' cy='160' rx='92' ry='8' fill='url(#shadow)'/>
<path d='M14 146c-4-18 2-30 18-34l30-6l24-28c4-5 8-7 16-7h36c8 0 14 3 18 9l16 26l14 4c10 3 12 14 10 36z' fill='#d3222a'/>
<path d='M70 106l20-24c3-3 5-4 10-4h10v28zM116 78h22c5 0 8 2 11 6l12 22h-45z' fill='#bfe1f2'/><path d='M74 106l18-22l6 0l-14 22zM120 80h8l-6 26h-6z' fill='#e9f6fc'/>
<path d='M113 78v66M60 108c-2 14 0 26 4 36' stroke='#8f141b' stroke-width='2' fill='none'/><path d='M119 116h12' stroke='#f5d9d9' stroke-width='3'/>
<path d='M14 128h10c4 0 4 8 0 8h-11zM188 122h8v10h-9z' fill='#ffe9a0'/><path d='M12 140h186v8H14z' fill='#8f141b'/>
<g id='wheel'><circle cx='52' cy='146' r='20' fill='#1d1d1f'/><circle cx='52' cy='146' r='11' fill='#c9ced3'/><path d='M52 135v22M41 146h22M44 138l16 16M60 138l-16 16' stroke='#6d737a' stroke-width='2'/></g><use href='#wheel' x='104'/>",
    },
    Drawing {
        label: "truck",
        shapes: r"<use href='#meadow'/><rect y='148' width='200' height='52' fill='#585d63'/><path d='M0 184h30M50 184h36M106 184h36M162 184h36' stroke='#f2d24a' stroke-width='4'/>
<ellipse cx='100' cy='168' rx='98' ry='7' fill='url(#shadow)'/>
<rect x='6' y='52' width='122' height='94' rx='3' fill='#eef1f4'/><path d='M24 52v94M42 52v94M60 52v94M78 52v94M96 52v94M114 52v94' stroke='#c8d0d8' stroke-width='2'/><rect x='6' y='90' width='122' height='14' fill='#2f6fb5'/>
<rect x='6' y='144' width='186' height='12' fill='#2c2f33'/>
<path d='M134 146V72c0-4 3-6 6-6h24c5 0 8 2 10 6l14 30c4 3 6 6 6 12v32z' fill='#2f6fb5'/><path d='M146 78h16c3 0 5 1 6 4l9 20h-31z' fill='#c7e6f5'/><path d='M142 110v34M150 116h9' stroke='#1b4678' stroke-width='2'/>
<rect x='184' y='122' width='10' height='9' fill='#ffe9a0'/><rect x='180' y='142' width='16' height='9' fill='#b9c1c9'/><rect x='128' y='60' width='5' height='50' fill='#9aa3ab'/>
<g id='tyre'><circle cx='30' cy='156' r='17' fill='#18181a'/><circle cx='30' cy='156' r='8' fill='#b9c1c9'/></g><use href='#tyre' x='38'/><use href='#tyre' x='132'/>",
    },
    Drawing {
        label: "school bus",
        shapes: r"<use href='#meadow'/><rect y='148' width='200' height='52' fill='#63686e'/><path d='M8 184h36M66 184h36M124 184h36' stroke='#fff' stroke-width='4'/>
<ellipse cx='98' cy='166' rx='96' ry='7' fill='url(#shadow)'/>
<path d='M8 150V58c0-8 5-12 12-12h118c8 0 12 4 12 12v40l32 6c8 2 12 6 12 14v32z' fill='#f7b916'/>
<path d='M8 108h142v5H8zM8 124h184v5H8zM8 142h186v8H8z' fill='#20201e'/>
<g fill='#cfe8f4' stroke='#20201e' stroke-width='2.5'><rect x='16' y='62' width='20' height='34'/><rect x='40' y='62' width='20' height='34'/><rect x='64' y='62' width='20' height='34'/><rect x='88' y='62' width='20' height='34'/><path d='M132 60h14v40h-14z'/><rect x='112' y='62' width='16' height='78'/></g><path d='M112 104h16M120 62v78' stroke='#20201e' stroke-width='2'/>
<rect x='18' y='40' width='12' height='7' rx='2' fill='#d8352b'/><rect x='126' y='40' width='12' height='7' rx='2' fill='#d8352b'/>
<circle cx='189' cy='120' r='5' fill='#fff4bf'/><path d='M190 136h8v16h-8z' fill='#20201e'/>
<g id='buswheel'><circle cx='44' cy='152' r='18' fill='#18181a'/><circle cx='44' cy='152' r='8' fill='#c9ced3'/></g><use href='#buswheel' x='116'/>",
    },
    Drawing {
        label: "airplane",
        shapes: r"<rect width='200' height='200' fill='url(#sky)'/><use href='#cloud' x='40' y='170'/><use href='#cloud' x='150' y='182'/><use href='#cloud' x='160' y='40'/><use href='#cloud' x='30' y='60'/>
<g transform='rotate(-14 100 100)'>
<path d='M92 92l34-52h14l-18 52z' fill='#b9c4ce'/>
<path d='M20 86L8 46h18l30 38z' fill='#2b66b1'/>
<path d='M12 96c0-8 6-12 16-12h126c18 0 34 8 38 20c-4 10-18 16-38 16H54c-22-2-42-12-42-24z' fill='#f8fafb'/><path d='M16 104c6 10 22 15 38 16h100c20 0 34-6 38-16z' fill='#cfd8df'/>
<path d='M12 98h150' stroke='#2b66b1' stroke-width='4'/>
<path d='M166 90c8 0 14 4 18 9h-20z' fill='#26333f'/>
<path d='M58 92h4M68 92h4M78 92h4M88 92h4M98 92h4M108 92h4M118 92h4M128 92h4M138 92h4M148 92h4' stroke='#3d4c59' stroke-width='5'/>
<path d='M84 108h42l-40 58H70z' fill='#e3e9ee' stroke='#a8b4be' stroke-width='1.5'/><rect x='92' y='128' width='30' height='12' rx='6' fill='#7d8a95'/><path d='M18 100h24L22 122H10z' fill='#dfe6eb' stroke='#a8b4be'/></g>",
    },
    Drawing {
        label: "train",
        shapes: r"<use href='#meadow'/>
<g fill='#d9dde0' fill-opacity='.85'><circle cx='148' cy='40' r='12'/><circle cx='128' cy='30' r='16'/><circle cx='98' cy='26' r='18'/><circle cx='66' cy='22' r='16'/></g>
<path d='M0 172h200M0 180h200' stroke='#6b5a48' stroke-width='3'/><path d='M6 170v14M26 170v14M46 170v14M66 170v14M86 170v14M106 170v14M126 170v14M146 170v14M166 170v14M186 170v14' stroke='#4a3626' stroke-width='6'/><path d='M0 170h200' stroke='#aeb6bd' stroke-width='4'/>
<path d='M0 76h62v74H0z' fill='#9c2a26'/><path d='M0 68h66v9H0z' fill='#3b3f44'/><path d='M6 86h20v26H6zM34 86h20v26H34z' fill='#fbe7a8' stroke='#5f1714' stroke-width='2'/><path d='M0 128h62v5H0z' fill='#e5b84a'/>
<path d='M62 144h12' stroke='#222' stroke-width='6'/>
<path d='M74 58h44v92H74z' fill='#1f5f3c'/><path d='M70 50h54v10H70z' fill='#23282c'/><path d='M82 70h28v26H82z' fill='#fbe7a8' stroke='#12351f' stroke-width='2'/>
<path d='M118 88h58c8 0 12 12 12 26s-4 26-12 26h-58z' fill='#26303a'/><path d='M134 88v52M156 88v52' stroke='#d9a93c' stroke-width='4'/><circle cx='186' cy='114' r='7' fill='#fff3b8'/>
<path d='M144 88l-3-34h22l-3 34zM138 48h28v8h-28z' fill='#1a2129'/><path d='M122 88c0-14 14-14 14 0z' fill='#d9a93c'/>
<path d='M74 140h118v10H74z' fill='#b5312a'/><path d='M180 150h12l8 20h-24z' fill='#8c221d'/>
<g fill='#191c20' stroke='#b5312a' stroke-width='4'><circle cx='94' cy='152' r='17'/><circle cx='132' cy='152' r='17'/><circle cx='166' cy='158' r='10'/><circle cx='14' cy='158' r='10'/><circle cx='46' cy='158' r='10'/></g><path d='M94 152h42' stroke='#c9ced3' stroke-width='5'/>",
    },
    Drawing {
        label: "bicycle",
        shapes: r"<use href='#meadow'/><path d='M0 164c60-8 140-8 200 0v36H0z' fill='#c9b48c'/>
<ellipse cx='100' cy='172' rx='92' ry='6' fill='url(#shadow)'/>
<g id='spoked'><circle cx='46' cy='130' r='37' fill='none' stroke='#1b1b1d' stroke-width='6'/><circle cx='46' cy='130' r='33' fill='none' stroke='#c7ccd1' stroke-width='2'/><path d='M46 97v66M13 130h66M23 107l46 46M69 107l-46 46M33 100l26 60M59 100l-26 60M16 117l60 26M76 117l-60 26' stroke='#8f979e' stroke-width='1.2'/><circle cx='46' cy='130' r='5' fill='#555b61'/></g><use href='#spoked' x='108'/>
<path d='M46 130l34-52h54L98 132zM98 132L74 66M154 130L130 54' stroke='#c3262b' stroke-width='6' fill='none' stroke-linejoin='round'/>
<path d='M46 126h50M46 134h52' stroke='#3a3d40' stroke-width='2'/><circle cx='98' cy='132' r='11' fill='#3a3d40'/><circle cx='98' cy='132' r='5' fill='#c7ccd1'/><path d='M98 132l12 20m-8 1h18' stroke='#222' stroke-width='4'/>
<path d='M56 62c10-4 26-4 36 2l-4 5H60z' fill='#2a1a10'/><path d='M130 54l-4-10c10-6 22-4 26 4c3 8-4 13-12 12' stroke='#2b2b2e' stroke-width='5' fill='none' stroke-linecap='round'/>",
    },
    Drawing {
        label: "rocket",
        shapes: r"<rect width='200' height='200' fill='url(#night)'/>
<g fill='#fff'><circle cx='24' cy='30' r='1.6'/><circle cx='60' cy='18' r='1.2'/><circle cx='160' cy='34' r='1.8'/><circle cx='182' cy='80' r='1.3'/><circle cx='30' cy='96' r='1.5'/><circle cx='52' cy='64' r='1'/><circle cx='148' cy='74' r='1.2'/><circle cx='14' cy='140' r='1.2'/><circle cx='176' cy='128' r='1.6'/></g>
<path d='M76 150c-2 30 10 44 24 56c14-12 26-26 24-56z' fill='#f25c1f'/><path d='M84 150c-2 22 6 34 16 44c10-10 18-22 16-44z' fill='#ffc233'/><path d='M92 150c0 14 2 22 8 30c6-8 8-16 8-30z' fill='#fff6d0'/>
<g fill='#e3e6ea' fill-opacity='.85'><circle cx='60' cy='196' r='20'/><circle cx='30' cy='204' r='22'/><circle cx='140' cy='196' r='20'/><circle cx='170' cy='204' r='22'/></g>
<path d='M72 104c-20 12-26 30-26 52l28-14zM128 104c20 12 26 30 26 52l-28-14z' fill='#c8282e'/>
<path d='M100 10c24 24 32 52 32 82c0 22-4 42-10 56H78c-6-14-10-34-10-56c0-30 8-58 32-82z' fill='url(#steel)'/><path d='M100 10c12 12 20 25 25 40H75c5-15 13-28 25-40z' fill='#c8282e'/>
<circle cx='100' cy='78' r='16' fill='#7a8692'/><circle cx='100' cy='78' r='11' fill='#6cc0ea'/><path d='M94 74c2-4 6-6 10-5' stroke='#fff' stroke-width='2.5' fill='none'/>
<path d='M70 112h60M74 136h52' stroke='#7a8692' stroke-width='3'/><path d='M84 148h32v8H84z' fill='#4a525a'/><path d='M96 108h8v44h-8z' fill='#a81f25'/>",
    },
];
